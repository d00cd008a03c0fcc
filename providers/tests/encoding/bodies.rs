//! Bodies of requests, field by field.

use crate::{answer, body, call, encode, encode_with, made, providers, result, text, tools, user};
use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolDefinition, ToolOutcome, ToolOutput, ToolResult},
    failure::FailureClass,
    ids::MessageId,
    model_name::ModelName,
};
use docket_providers::ModelRequest;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// A conversation with all that can be in one.
fn sample() -> Vec<Message> {
    let blob = ToolResult { outcome: ToolOutcome::Ok, output: ToolOutput::Blob { sha256: "ab".to_owned(), bytes: 11 } };
    vec![
        user("Hello"),
        answer(
            "anthropic/m",
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
    let providers = made(&[("OPENAI_API_KEY", "k"), ("OPENAI_WIRE_API", "chat")]);
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
    // Azure knows the new name of the limit, and may not know the other parameter yet.
    let azure = [("AZURE_OPENAI_ENDPOINT", "http://h"), ("AZURE_OPENAI_API_VERSION", "2024-10-21")];
    let model = "azure/m".parse().unwrap();
    let azure = made(&azure).encode(&ModelRequest { model: &model, ..request }).unwrap();
    let azure = self::body(&azure);
    assert_eq!((&azure["max_completion_tokens"], &azure["stream_options"]), (&json!(5), &json!({"include_usage": true})));
}

#[test]
fn what_cannot_be_encoded_is_a_matter_of_configuration() {
    let fails = |model: &str, messages: &[Message], tools: &[ToolDefinition]| {
        let (model, outputs): (ModelName, _) = (model.parse().unwrap(), HashMap::new());
        let request = ModelRequest { model: &model, system: "", messages, outputs: &outputs, tools, max_output_tokens: None };
        let failure = providers(false).encode(&request).unwrap_err();
        assert_eq!(failure.class, FailureClass::Configuration);
        failure.message
    };
    assert_eq!(fails("nobody/x", &[user("x")], &[]), "the provider nobody is not configured");
    let mut tool = tools().remove(0);
    tool.input_schema = "[]".to_owned();
    let blob = ToolOutput::Blob { sha256: "gone".to_owned(), bytes: 1 };
    let gone =
        answer("anthropic/m", vec![call(1, "a", "b", "")], vec![Some(ToolResult { outcome: ToolOutcome::Ok, output: blob })]);
    for model in ["anthropic/x", "openai/x", "azure/x", "gemini/x", "bedrock/x", "scripted/guided"] {
        assert!(fails(model, &[user("x")], std::slice::from_ref(&tool)).contains("read_file"));
        assert_eq!(fails(model, std::slice::from_ref(&gone), &[]), "the tool output gone is not at hand");
    }
}

#[test]
fn a_responses_body() {
    let mut messages = sample();
    if let Message::Assistant { model, parts, .. } = &mut messages[1] {
        *model = "openai/gpt-5".parse().unwrap();
        let item = |data: &str| AssistantPart::Opaque { dialect: "openai-responses".to_owned(), data: data.to_owned() };
        parts.insert(0, item(r#"{"type":"reasoning",  "id":"rs_1","summary":[],"encrypted_content":"x"}"#));
        parts.insert(1, item(r#"{"type":"message","phase":"commentary","content":[]}"#));
        parts.push(item(r#"{"type":"custom_tool_call","call_id":"c","name":"n","input":""}"#));
        parts.push(item(r#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"cut off"}"#));
    }
    let got = encode("own/gpt-5", "Be brief.", &messages);
    let parts: Vec<_> = got.parts.iter().map(|part| std::str::from_utf8(part).unwrap()).collect();
    let head = r#"{"model":"gpt-5","stream":true,"stream_options":{"include_obfuscation":false},"store":false,"include":["reasoning.encrypted_content"],"max_output_tokens":77,"instructions":"Be brief.","tools":[{"type":"function","name":"read_file","description":"Does read_file.","parameters":{"type": "object", "properties": {}},"strict":false},"#;
    assert!(parts[0].starts_with(head), "{}", parts[0]);
    assert!(parts[0].ends_with(r#","input":["#));
    assert_eq!(parts[1], r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"Hello"}]}"#);
    let items = [
        r#",{"type":"reasoning",  "id":"rs_1","summary":[],"encrypted_content":"x"}"#,
        r#",{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I look."}]}"#,
        r#",{"type":"function_call","call_id":"toolu_1","name":"read_file","arguments":"{\"path\": \"a\"}"}"#,
        r#",{"type":"function_call","call_id":"toolu_2","name":"execute","arguments":"{\"_raw\":\"{\\\"command\\\": \\\"cu\"}"}"#,
        r#",{"type":"function_call","call_id":"toolu_3","name":"execute","arguments":"{}"}"#,
        r#",{"type":"function_call_output","call_id":"toolu_1","output":"from a blob"}"#,
        r#",{"type":"function_call_output","call_id":"toolu_2","output":"Error: bad input"}"#,
        r#",{"type":"function_call_output","call_id":"toolu_3","output":"Error: There is no result of this tool call: it was not carried out, or nobody recorded how it ended."}"#,
    ];
    assert_eq!(parts[2], items.concat());
    assert_eq!(parts[4], "]}");
    assert!(body(&encode("own/gpt-4o", "", &messages)).get("include").is_none(), "it has no reasoning to give");
    assert!(!String::from_utf8_lossy(&encode("own/gpt-4o", "", &messages).body()).contains("rs_1"), "nor does it take any");
}

#[test]
fn a_gemini_body() {
    let mut messages = sample();
    let part = |data: &str| AssistantPart::Opaque { dialect: "gemini".to_owned(), data: data.to_owned() };
    if let Message::Assistant { model, parts, .. } = &mut messages[1] {
        *model = "gemini/gemini-3-pro".parse().unwrap();
        let at = parts.iter().position(|part| matches!(part, AssistantPart::ToolCall(_))).unwrap();
        parts.insert(at + 1, part(r#"{"of":"functionCall","thoughtSignature":"c2ln"}"#));
        parts.insert(at, part(r#"{"of":"text","thoughtSignature":"dGV4dA"}"#));
        parts.push(part(r#"{"text":"","thoughtSignature":"b3du"}"#));
    }
    let got = body(&encode("gemini/gemini-3-pro", "Be brief.", &messages));
    assert_eq!(got["systemInstruction"], json!({"parts": [{"text": "Be brief."}]}));
    assert_eq!(got["generationConfig"], json!({"maxOutputTokens": 77}));
    assert_eq!(got["tools"][0]["functionDeclarations"][1]["name"], "execute");
    assert!(got["tools"][0]["functionDeclarations"][1]["parametersJsonSchema"].is_object());
    let contents = got["contents"].as_array().unwrap();
    assert_eq!(contents[0], json!({"role": "user", "parts": [{"text": "Hello"}]}));
    let want = json!({"role": "model", "parts": [
        {"text": "hm", "thought": true, "thoughtSignature": "sig"},
        {"text": "I look.", "thoughtSignature": "dGV4dA"},
        {"functionCall": {"id": "toolu_1", "name": "read_file", "args": {"path": "a"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "toolu_2", "name": "execute", "args": {"_raw": "{\"command\": \"cu"}}},
        {"functionCall": {"id": "toolu_3", "name": "execute", "args": {}}},
        {"text": "", "thoughtSignature": "b3du"},
    ]});
    assert_eq!(contents[1], want);
    assert_eq!(contents[2]["parts"][0]["functionResponse"]["response"], json!({"output": "from a blob"}));
    assert_eq!(contents[2]["parts"][1]["functionResponse"]["response"], json!({"error": "bad input"}));
    assert_eq!(contents[2]["parts"][3], json!({"text": "And?"}), "what a person says follows the results");
    // Calls of another model have no signature: Gemini 3 is told to go without, the older ones do not ask.
    let signature = |model| body(&encode(model, "", &sample()))["contents"][1]["parts"][1]["thoughtSignature"].clone();
    assert_eq!(signature("gemini/gemini-3-pro"), "skip_thought_signature_validator");
    assert_eq!(signature("gemini/gemini-2.5-pro"), json!(null));
}

#[test]
fn a_bedrock_body() {
    const CLAUDE: &str = "bedrock/us.anthropic.claude-sonnet-4-6";
    let mut messages = sample();
    if let Message::Assistant { model, parts, .. } = &mut messages[1] {
        *model = CLAUDE.parse().unwrap();
        let data = r#"{"reasoningContent":{"redactedContent":"eA=="}}"#.to_owned();
        parts.insert(2, AssistantPart::Opaque { dialect: "bedrock-converse".to_owned(), data });
        let data = r#"{"toolUse":{"toolUseId":"s","name":"nova_grounding","type":"server_tool_use","input":{}}}"#.to_owned();
        parts.push(AssistantPart::Opaque { dialect: "bedrock-converse".to_owned(), data });
    }
    let point = json!({"cachePoint": {"type": "default"}});
    let got = body(&encode(CLAUDE, "Be brief.", &messages));
    assert_eq!(got["system"], json!([{"text": "Be brief."}, point]));
    assert_eq!(got["inferenceConfig"], json!({"maxTokens": 77}));
    assert_eq!(got["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"], "object");
    assert_eq!(got["toolConfig"]["tools"][2], point);
    let want = json!([
        {"role": "user", "content": [{"text": "Hello"}]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
            {"reasoningContent": {"redactedContent": "eA=="}},
            {"text": "I look."},
            {"toolUse": {"toolUseId": "toolu_1", "name": "read_file", "input": {"path": "a"}}},
            {"toolUse": {"toolUseId": "toolu_2", "name": "execute", "input": {"_raw": "{\"command\": \"cu"}}},
            {"toolUse": {"toolUseId": "toolu_3", "name": "execute", "input": {}}},
        ]},
    ]);
    assert_eq!(got["messages"].as_array().unwrap()[..2], want.as_array().unwrap()[..], "the open call of its own is left out");
    let last = got["messages"][2]["content"].as_array().unwrap();
    let ok = json!({"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "from a blob"}], "status": "success"}});
    assert_eq!((&last[0], &last[1]["toolResult"]["status"]), (&ok, &json!("error")));
    assert_eq!(last[3..], [json!({"text": "And?"}), point], "the last cache point moves on in the tail");
    let llama = body(&encode("bedrock/meta.llama3", "Be brief.", &messages));
    assert!(!llama.to_string().contains("cachePoint") && !llama.to_string().contains("reasoningContent"));
    let bare = body(&encode_with(CLAUDE, "", &messages, &[]));
    assert!(!bare.to_string().contains("\"toolUse\"") && bare.get("toolConfig").is_none(), "without tools, calls are told");
    let told = bare["messages"][1]["content"].as_array().unwrap();
    assert_eq!(told[3], json!({"text": r#"(Called the tool read_file with {"path": "a"})"#}));
}

/// Servers whose models think between their calls want the thoughts back, each under its own name for them.
#[test]
fn reasoning_goes_back_under_the_name_that_it_came_under() {
    let said = |data: &str| {
        let reasoning = AssistantPart::Reasoning { text: "hm".to_owned(), signature: None };
        let kept = AssistantPart::Opaque { dialect: "openai-chat".to_owned(), data: data.to_owned() };
        vec![reasoning, kept, text("I look."), call(1, "call_1", "read_file", "{}")]
    };
    let sent = |model: &str, parts: Vec<AssistantPart>| {
        let body = body(&encode("openai/m", "", &[user("x"), answer(model, parts, vec![result(ToolOutcome::Ok, "y")])]));
        body["messages"][1].clone()
    };
    let deepseek = sent("openai/m", said(r#"{"reasoning_field":"reasoning_content"}"#));
    assert_eq!((&deepseek["reasoning_content"], deepseek.get("reasoning")), (&json!("hm"), None));
    let ollama = sent("openai/m", said(r#"{"reasoning_field":"reasoning"}"#));
    assert_eq!((&ollama["reasoning"], ollama.get("reasoning_content")), (&json!("hm"), None));
    let router = sent("openai/m", said(r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#));
    assert_eq!(router["reasoning_details"], json!([{"type": "reasoning.encrypted", "data": "x"}]));
    assert_eq!(router.get("reasoning"), None);
    let google = sent("openai/m", said(r#"{"call":0,"extra_content":{"google":{"thought_signature":"x"}}}"#));
    assert_eq!(google["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "x", "with its call");
    let mut without_calls = said(r#"{"reasoning_field":"reasoning"}"#);
    without_calls.pop();
    assert_eq!(sent("openai/m", without_calls), json!({"role": "assistant", "content": "I look."}));
    let foreign = sent("gemini/m", said(r#"{"reasoning_field":"reasoning"}"#));
    assert_eq!(foreign.get("reasoning"), None, "another provider's thoughts are its own");
}
