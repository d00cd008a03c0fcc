//! What each provider demands of a history, as its documentation and its refusals tell. Written apart from the encoders.

use docket_providers::Protocol;
use serde_json::Value;
use std::collections::HashSet;

/// Fails if the provider would refuse the request.
pub(crate) fn assert_rules(protocol: Protocol, body: &Value) {
    match protocol {
        Protocol::AnthropicMessages => anthropic(body),
        Protocol::OpenAiResponses => responses(body),
        Protocol::OpenAiChat => chat(body),
        Protocol::Gemini => gemini(body),
        Protocol::BedrockConverse => bedrock(body),
        Protocol::Scripted => {}
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn assert_id(id: &str, longest: usize) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    assert!(!id.is_empty() && id.len() <= longest && id.chars().all(allowed), "{id:?}");
}

/// Roles alternate and begin with the user; no message is empty.
fn assert_alternate<'a>(messages: &'a [Value], roles: [&str; 2], content: &str) -> impl Iterator<Item = &'a [Value]> {
    for (n, message) in messages.iter().enumerate() {
        assert_eq!(message["role"], roles[n % 2], "message {n}: {message}");
        assert!(!list(&message[content]).is_empty(), "message {n} is empty");
    }
    let content = content.to_owned();
    messages.iter().map(move |message| list(&message[&content]))
}

fn anthropic(body: &Value) {
    let mut ids = HashSet::new();
    let mut due: Vec<&str> = Vec::new();
    let messages = list(&body["messages"]);
    for (n, blocks) in assert_alternate(messages, ["user", "assistant"], "content").enumerate() {
        let owed = std::mem::take(&mut due);
        let given: Vec<_> = blocks.iter().take(owed.len()).map(|block| text(&block["tool_use_id"])).collect();
        assert_eq!(given, owed, "results come first, in the order of the calls");
        for block in &blocks[owed.len()..] {
            match text(&block["type"]) {
                "text" => assert!(!text(&block["text"]).trim().is_empty()),
                "thinking" => assert!(!text(&block["signature"]).is_empty()),
                "redacted_thinking" => assert!(!text(&block["data"]).is_empty()),
                "tool_use" => {
                    assert_id(text(&block["id"]), 64);
                    assert!(block["input"].is_object() && !text(&block["name"]).is_empty());
                    assert!(ids.insert(text(&block["id"])), "an id is used once");
                    due.push(text(&block["id"]));
                }
                "server_tool_use" | "mcp_tool_use" => {
                    let answered = blocks.iter().any(|other| other["tool_use_id"] == block["id"]);
                    assert!(answered || n + 1 == messages.len(), "a call of its own has its result");
                }
                kind => assert!(kind == "compaction" || kind.ends_with("_tool_result"), "{kind}"),
            }
        }
    }
    assert!(due.is_empty(), "every call has its result");
}

fn chat(body: &Value) {
    let mut due: Vec<&Value> = Vec::new();
    for message in list(&body["messages"]) {
        if message["role"] == "tool" {
            assert_eq!(&message["tool_call_id"], due.remove(0), "results follow their calls, in order");
            assert!(!text(&message["content"]).is_empty());
            continue;
        }
        assert!(due.is_empty(), "every call has its result at once");
        assert!(message["content"].is_string() || message["content"].is_array());
        for call in list(&message["tool_calls"]) {
            let arguments: Value = serde_json::from_str(text(&call["function"]["arguments"])).unwrap();
            assert!(arguments.is_object());
            assert_id(text(&call["id"]), 40);
            assert_id(text(&call["function"]["name"]), 64);
            due.push(&call["id"]);
        }
    }
    assert!(due.is_empty());
}

fn responses(body: &Value) {
    assert_eq!(body["store"], false);
    let items = list(&body["input"]);
    let (mut calls, mut ids) = (Vec::new(), HashSet::new());
    for (n, item) in items.iter().enumerate() {
        match text(&item["type"]) {
            "message" => {
                let assistant = item["role"] == "assistant";
                assert!(!list(&item["content"]).is_empty());
                for part in list(&item["content"]) {
                    assert_eq!(part["type"], if assistant { "output_text" } else { "input_text" });
                    assert!(!text(&part["text"]).is_empty());
                }
            }
            "reasoning" => {
                assert!(item["summary"].is_array() && item["id"].is_string());
                let next = items.get(n + 1).expect("reasoning is followed by what it led to");
                let led = next["role"] == "assistant" || next["type"] != "message";
                assert!(led && next["type"] != "function_call_output", "{next}");
            }
            "function_call" => {
                assert_id(text(&item["call_id"]), 64);
                assert_id(text(&item["name"]), 64);
                assert!(serde_json::from_str::<Value>(text(&item["arguments"])).unwrap().is_object());
                assert!(ids.insert(text(&item["call_id"])), "an id is used once");
                calls.push(&item["call_id"]);
            }
            "function_call_output" => {
                assert_eq!(&item["call_id"], calls.remove(0), "results in the order of the calls");
                assert!(!text(&item["output"]).is_empty());
            }
            // The provider's own, with their results in them.
            kind => assert!(matches!(kind, "web_search_call" | "mcp_call" | "mcp_list_tools"), "{kind}"),
        }
    }
    assert!(calls.is_empty(), "every call has its result");
}

fn gemini(body: &Value) {
    let mut due: Vec<(&Value, &Value)> = Vec::new();
    for parts in assert_alternate(list(&body["contents"]), ["user", "model"], "parts") {
        let owed = std::mem::take(&mut due);
        let responses = parts.iter().map(|part| &part["functionResponse"]).take_while(|response| response.is_object());
        let given: Vec<_> = responses.map(|response| (&response["id"], &response["name"])).collect();
        assert_eq!(given, owed, "as many results as calls, in their order, before anything else");
        for (n, part) in parts[owed.len()..].iter().enumerate() {
            assert!(part.get("functionResponse").is_none());
            if let Some(call) = part.get("functionCall") {
                assert!(call["args"].is_object());
                assert_id(text(&call["name"]), 64);
                if due.is_empty() {
                    assert!(!text(&part["thoughtSignature"]).is_empty(), "the first call of a step is signed");
                }
                due.push((&call["id"], &call["name"]));
            } else if let Some(said) = part.get("text") {
                assert!(!text(said).is_empty() || part["thoughtSignature"].is_string(), "part {n} says nothing");
            } else {
                assert!(part["executableCode"].is_object() || part["codeExecutionResult"].is_object(), "{part}");
            }
        }
    }
    assert!(due.is_empty(), "every call has its result");
}

fn bedrock(body: &Value) {
    let mut due: Vec<&Value> = Vec::new();
    let mut ids = HashSet::new();
    let tools = body["toolConfig"]["tools"].is_array();
    for blocks in assert_alternate(list(&body["messages"]), ["user", "assistant"], "content") {
        let owed = std::mem::take(&mut due);
        let results = blocks.iter().filter(|block| block["toolResult"]["status"].is_string());
        let results: Vec<_> = results.map(|block| &block["toolResult"]["toolUseId"]).collect();
        assert_eq!(results.iter().take(owed.len()).copied().collect::<Vec<_>>(), owed, "results in the order of the calls");
        for block in blocks {
            let (kind, value) = block.as_object().unwrap().iter().next().unwrap();
            assert_eq!(block.as_object().unwrap().len(), 1, "a block has one key");
            match kind.as_str() {
                "text" => assert!(!text(value).trim().is_empty(), "no text is blank"),
                "toolUse" => {
                    assert!(tools, "no calls without tools");
                    assert_id(text(&value["toolUseId"]), 64);
                    assert!(value["input"].is_object());
                    if value["type"] == "server_tool_use" {
                        let answered = blocks.iter().any(|other| other["toolResult"]["toolUseId"] == value["toolUseId"]);
                        assert!(answered, "a call of its own has its result");
                    } else {
                        assert!(ids.insert(text(&value["toolUseId"])), "an id is used once");
                        due.push(&value["toolUseId"]);
                    }
                }
                "toolResult" => assert!(tools && !list(&value["content"]).is_empty()),
                "reasoningContent" => {
                    let signed = !text(&value["reasoningText"]["signature"]).is_empty();
                    assert!(signed || value["redactedContent"].is_string(), "{value}");
                }
                "cachePoint" => assert_eq!(value["type"], "default"),
                other => panic!("{other}"),
            }
        }
    }
    assert!(due.is_empty(), "every call has its result");
}
