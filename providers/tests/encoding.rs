//! What holds for the request of every conversation, well formed or not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolCall, ToolDefinition, ToolOutcome, ToolOutput, ToolResult},
    failure::FailureClass,
    ids::{MessageId, ModelCallId, ToolCallId},
    model_name::ModelName,
};
use docket_providers::{EncodedRequest, ModelRequest, Providers};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};
use uuid::Uuid;

fn providers() -> &'static Providers {
    static PROVIDERS: LazyLock<Providers> = LazyLock::new(|| {
        let vars = HashMap::from([("ANTHROPIC_API_KEY", "k"), ("OPENAI_BASE_URL", "http://127.0.0.1:1")]);
        Providers::from_env(|name| vars.get(name).map(|value| (*value).to_owned())).unwrap()
    });
    &PROVIDERS
}

fn tools() -> Vec<ToolDefinition> {
    let tool = |name: &str| ToolDefinition {
        name: name.to_owned(),
        description: format!("Does {name}."),
        input_schema: r#"{"type": "object", "properties": {}}"#.to_owned(),
    };
    vec![tool("read_file"), tool("execute")]
}

fn encode(model: &str, system: &str, messages: &[Message]) -> EncodedRequest {
    let (model, outputs, tools) =
        (model.parse().unwrap(), HashMap::from([("ab".to_owned(), "from a blob".to_owned())]), tools());
    let request =
        ModelRequest { model: &model, system, messages, outputs: &outputs, tools: &tools, max_output_tokens: Some(77) };
    providers().encode(&request).unwrap()
}

fn user(text: &str) -> Message {
    Message::User { id: MessageId(Uuid::nil()), content: vec![PromptPart::Text { text: text.to_owned() }] }
}

fn assistant(parts: Vec<AssistantPart>, results: Vec<Option<ToolResult>>) -> Message {
    let model = "anthropic/m".parse().unwrap();
    Message::Assistant { model_call_id: ModelCallId(Uuid::nil()), model, parts, results }
}

fn text(text: &str) -> AssistantPart {
    AssistantPart::Text { text: text.to_owned() }
}

fn call(n: u128, provider_id: &str, name: &str, input: &str) -> AssistantPart {
    let (provider_id, name, input) = (provider_id.to_owned(), name.to_owned(), input.to_owned());
    AssistantPart::ToolCall(ToolCall { id: ToolCallId(Uuid::from_u128(n)), provider_id, name, input })
}

fn result(outcome: ToolOutcome, text: &str) -> Option<ToolResult> {
    Some(ToolResult { outcome, output: ToolOutput::Inline { text: text.to_owned() } })
}

fn body(request: &EncodedRequest) -> Value {
    serde_json::from_slice(&request.body()).unwrap()
}

/// A conversation with all that can be in one.
fn sample() -> Vec<Message> {
    let blob = ToolResult { outcome: ToolOutcome::Ok, output: ToolOutput::Blob { sha256: "ab".to_owned(), bytes: 11 } };
    vec![
        user("Hello"),
        assistant(
            vec![
                AssistantPart::Reasoning { text: "hm".to_owned(), signature: Some("sig".to_owned()) },
                AssistantPart::Reasoning { text: "unsigned".to_owned(), signature: None },
                AssistantPart::Opaque {
                    dialect: "anthropic-messages".to_owned(),
                    data: r#"{"type":"redacted_thinking",  "data":"x"}"#.to_owned(),
                },
                AssistantPart::Opaque { dialect: "other".to_owned(), data: r#"{"type":"y"}"#.to_owned() },
                text("I look."),
                call(1, "toolu_1", "read_file", r#"{"path": "a"}"#),
                call(2, "toolu_2", "execute", r#"{"command": "cu"#),
                call(3, "toolu_3", "execute", ""),
            ],
            vec![Some(blob), result(ToolOutcome::Error, "bad input"), None],
        ),
        user("And?"),
    ]
}

#[test]
fn an_anthropic_body_to_the_byte() {
    let got = encode("anthropic/claude-x", "Be brief.", &sample());
    let no_result = "There is no result of this tool call: it was not carried out, or nobody recorded how it ended.";
    let want = [
        r#"{"model":"claude-x","max_tokens":77,"stream":true,"cache_control":{"type":"ephemeral"},"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"read_file","description":"Does read_file.","input_schema":{"type": "object", "properties": {}}},{"name":"execute","description":"Does execute.","input_schema":{"type": "object", "properties": {}},"cache_control":{"type":"ephemeral"}}],"messages":["#.to_owned(),
        r#"{"role":"user","content":[{"type":"text","text":"Hello"}"#.to_owned(),
        format!(
            "{}{}{}{}",
            r#"]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking",  "data":"x"},{"type":"text","text":"I look."},"#,
            r#"{"type":"tool_use","id":"toolu_1","name":"read_file","input":{"path": "a"}},{"type":"tool_use","id":"toolu_2","name":"execute","input":{"_raw":"{\"command\": \"cu"}},{"type":"tool_use","id":"toolu_3","name":"execute","input":{}}]},"#,
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"from a blob","is_error":false},{"type":"tool_result","tool_use_id":"toolu_2","content":"bad input","is_error":true},"#,
            format_args!(r#"{{"type":"tool_result","tool_use_id":"toolu_3","content":"{no_result}","is_error":true}}"#),
        ),
        r#",{"type":"text","text":"And?"}"#.to_owned(),
        "]}]}".to_owned(),
    ];
    let parts: Vec<_> = got.parts.iter().map(|part| std::str::from_utf8(part).unwrap()).collect();
    assert_eq!(parts, want);
    assert_eq!(got.body_bytes(), got.body().len() as u64);
    assert_eq!(got.body_sha256(), encode("anthropic/claude-x", "Be brief.", &sample()).body_sha256());
}

#[test]
fn a_chat_body() {
    let body = body(&encode("openai/org/m", "Be brief.", &sample()));
    assert_eq!((&body["model"], &body["max_tokens"], &body["stream"]), (&json!("org/m"), &json!(77), &json!(true)));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(body["tools"][1]["function"]["name"], "execute");
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(messages[1], json!({"role": "user", "content": "Hello"}));
    assert_eq!(messages[2]["content"], "I look.");
    assert_eq!(messages[2]["tool_calls"][1]["function"]["arguments"], r#"{"_raw":"{\"command\": \"cu"}"#);
    assert_eq!(messages[3], json!({"role": "tool", "tool_call_id": "toolu_1", "content": "from a blob"}));
    assert_eq!(messages[4]["content"], "Error: bad input");
    assert_eq!(messages[6], json!({"role": "user", "content": "And?"}));
    let two = Message::User {
        id: MessageId(Uuid::nil()),
        content: ["a", " ", "b"].map(|text| PromptPart::Text { text: text.to_owned() }).into(),
    };
    let content = &self::body(&encode("openai/m", "", &[two]))["messages"][0]["content"];
    assert_eq!(content, &json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]));
}

#[test]
fn openai_itself_gets_its_own_parameters() {
    let vars = HashMap::from([("OPENAI_API_KEY", "k"), ("OPENAI_WIRE_API", "chat")]);
    let providers = Providers::from_env(|name| vars.get(name).map(|value| (*value).to_owned())).unwrap();
    let (model, outputs, messages) = ("openai/m".parse().unwrap(), HashMap::new(), [user("x")]);
    let request = ModelRequest {
        model: &model,
        system: "",
        messages: &messages,
        outputs: &outputs,
        tools: &[],
        max_output_tokens: Some(5),
    };
    let body = body(&providers.encode(&request).unwrap());
    assert_eq!(body["max_completion_tokens"], 5);
    assert_eq!(body["stream_options"], json!({"include_usage": true, "include_obfuscation": false}));
    assert!(body.get("tools").is_none() && body.get("max_tokens").is_none());
}

#[test]
fn what_cannot_be_encoded_is_a_matter_of_configuration() {
    let fails = |model: &str, messages: &[Message], tools: &[ToolDefinition]| {
        let (model, outputs): (ModelName, _) = (model.parse().unwrap(), HashMap::new());
        let request = ModelRequest { model: &model, system: "", messages, outputs: &outputs, tools, max_output_tokens: None };
        let failure = providers().encode(&request).unwrap_err();
        assert_eq!(failure.class, FailureClass::Configuration);
        failure.message
    };
    assert_eq!(fails("gemini/x", &[user("x")], &[]), "the provider gemini is not configured");
    let mut tool = tools().remove(0);
    tool.input_schema = "[]".to_owned();
    let blob = ToolOutput::Blob { sha256: "gone".to_owned(), bytes: 1 };
    let gone = assistant(vec![call(1, "a", "b", "")], vec![Some(ToolResult { outcome: ToolOutcome::Ok, output: blob })]);
    for model in ["anthropic/x", "openai/x", "scripted/guided"] {
        assert!(fails(model, &[user("x")], std::slice::from_ref(&tool)).contains("read_file"));
        assert_eq!(fails(model, std::slice::from_ref(&gone), &[]), "the tool output gone is not at hand");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(" \n".to_owned()), ".{0,12}", "[a-z]{1,8}"]
}

fn any_part() -> impl Strategy<Value = AssistantPart> {
    let input =
        prop_oneof![any_text(), Just(r#"{"a":1}"#.to_owned()), Just(r#"{"a":"#.to_owned()), Just(r#"["\ud800"]"#.to_owned())];
    let id = prop_oneof![any_text(), Just("toolu_same".to_owned()), "call_[a-z]{1,50}"];
    prop_oneof![
        any_text().prop_map(|text| AssistantPart::Text { text }),
        (any_text(), prop::option::of(any_text())).prop_map(|(text, signature)| AssistantPart::Reasoning { text, signature }),
        (any::<u128>(), id, any_text(), input).prop_map(|(n, id, name, input)| call(n, &id, &name, &input)),
        (
            prop_oneof![Just("anthropic-messages"), Just("other")],
            prop_oneof![any_text(), Just(r#"{"type":"compaction"}"#.to_owned())]
        )
            .prop_map(|(dialect, data)| AssistantPart::Opaque { dialect: dialect.to_owned(), data }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let outcome =
        prop_oneof![Just(ToolOutcome::Ok), Just(ToolOutcome::Error), Just(ToolOutcome::Unknown), Just(ToolOutcome::Cancelled)];
    let results = prop::collection::vec(prop::option::of((outcome, any_text())), 0..5)
        .prop_map(|all| all.into_iter().map(|one| one.and_then(|(outcome, text)| result(outcome, &text))).collect());
    let model = prop_oneof![Just("anthropic/m"), Just("openai/m")];
    prop_oneof![
        prop::collection::vec(any_text(), 0..3).prop_map(|texts| Message::User {
            id: MessageId(Uuid::nil()),
            content: texts.into_iter().map(|text| PromptPart::Text { text }).collect(),
        }),
        (prop::collection::vec(any_part(), 0..5), results, model).prop_map(|(parts, results, model)| Message::Assistant {
            model_call_id: ModelCallId(Uuid::nil()),
            model: model.parse().unwrap(),
            parts,
            results,
        }),
    ]
}

fn assert_anthropic_rules(body: &Value) {
    let mut ids = HashSet::new();
    let mut due: Vec<String> = Vec::new();
    for (n, message) in body["messages"].as_array().unwrap().iter().enumerate() {
        assert_eq!(message["role"], if n % 2 == 0 { "user" } else { "assistant" }, "roles alternate, beginning with the user");
        let blocks = message["content"].as_array().unwrap();
        assert!(!blocks.is_empty());
        let owed = std::mem::take(&mut due);
        let given: Vec<_> =
            blocks.iter().take(owed.len()).map(|block| block["tool_use_id"].as_str().unwrap_or_default()).collect();
        assert_eq!(given, owed, "results come first, in the order of the calls");
        for block in &blocks[owed.len()..] {
            match block["type"].as_str().unwrap() {
                "text" => assert!(!block["text"].as_str().unwrap().trim().is_empty()),
                "thinking" => assert!(!block["signature"].as_str().unwrap().is_empty()),
                "tool_use" => {
                    let id = block["id"].as_str().unwrap();
                    assert!(block["input"].is_object() && !block["name"].as_str().unwrap().is_empty());
                    assert!(ids.insert(id.to_owned()), "an id is used once");
                    due.push(id.to_owned());
                }
                kind => assert_eq!(kind, "compaction"),
            }
        }
    }
    assert!(due.is_empty(), "every call has its result");
}

fn assert_chat_rules(body: &Value) {
    let mut due: Vec<String> = Vec::new();
    for message in body["messages"].as_array().unwrap() {
        if message["role"] == "tool" {
            assert_eq!(message["tool_call_id"], due.remove(0), "results follow their calls, in order");
            assert!(!message["content"].as_str().unwrap().is_empty());
            continue;
        }
        assert!(due.is_empty(), "every call has its result at once");
        assert!(message["content"].is_string() || message["content"].is_array());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            assert!(arguments.is_object());
            due.push(call["id"].as_str().unwrap().to_owned());
        }
    }
    assert!(due.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_conversation_is_valid_and_grows_by_parts(messages in prop::collection::vec(any_message(), 0..8), system in any_text()) {
        for model in ["anthropic/m", "openai/m", "scripted/guided"] {
            let requests: Vec<EncodedRequest> = (0..=messages.len()).map(|n| encode(model, &system, &messages[..n])).collect();
            for (shorter, longer) in requests.iter().zip(&requests[1..]) {
                let kept = &shorter.parts[..shorter.parts.len() - 1];
                prop_assert_eq!(kept, &longer.parts[..kept.len()], "a longer conversation keeps the parts of a shorter one");
            }
            for request in &requests {
                let body = body(request);
                match model {
                    "anthropic/m" => assert_anthropic_rules(&body),
                    "openai/m" => assert_chat_rules(&body),
                    _ => {}
                }
            }
        }
    }
}
