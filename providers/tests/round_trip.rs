//! What a provider said can be sent back to it: recorded answers are decoded, folded into messages and encoded again.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use docket_domain::{
    conversation::{AssistantPart, Message},
    ids::ModelCallId,
    model_call::Assembly,
};
use docket_providers::{Decoder, Limits, ModelRequest, Protocol, Providers};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, path::PathBuf};
use uuid::Uuid;

/// The blocks of the assistant's message as they are sent back, after `recording` was received.
fn sent_back(recording: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anthropic").join(recording);
    let mut decoder = Decoder::new(Protocol::AnthropicMessages, &Limits::default());
    decoder.push(&fs::read(path).unwrap());
    let (id, mut assembly) = (ModelCallId(Uuid::from_u128(7)), Assembly::default());
    while let Some(frame) = decoder.next_frame() {
        frame.iter().for_each(|event| assembly.add(id, event));
    }
    let parts = assembly.parts();
    let results = parts.iter().filter(|part| matches!(part, AssistantPart::ToolCall(_))).map(|_| None).collect();
    let messages = [Message::Assistant { model_call_id: id, model: "anthropic/m".parse().unwrap(), parts, results }];
    let providers = Providers::from_env(|name| (name == "ANTHROPIC_API_KEY").then(|| "k".to_owned())).unwrap();
    let (model, outputs) = ("anthropic/m".parse().unwrap(), HashMap::new());
    let request =
        ModelRequest { model: &model, system: "", messages: &messages, outputs: &outputs, tools: &[], max_output_tokens: None };
    let body: Value = serde_json::from_slice(&providers.encode(&request).unwrap().body()).unwrap();
    body["messages"][1]["content"].as_array().unwrap().clone()
}

fn kinds(blocks: &[Value]) -> Vec<&str> {
    blocks.iter().map(|block| block["type"].as_str().unwrap()).collect()
}

#[test]
fn thinking_goes_back_with_its_proof() {
    let blocks = sent_back("thinking-then-tool.sse");
    assert_eq!(kinds(&blocks), ["thinking", "tool_use"]);
    assert!(blocks[0]["signature"].as_str().unwrap().starts_with("EtYDCkYICxgC"));
    assert_eq!(blocks[1]["input"], json!({"location": "Florence, Italy"}));
    assert_eq!(blocks[1]["id"], "toolu_01Js4AMfx5qpTLhwTusnvT68");
}

#[test]
fn redacted_thinking_goes_back_unchanged() {
    let blocks = sent_back("redacted-thinking.sse");
    assert_eq!(kinds(&blocks), ["redacted_thinking", "redacted_thinking", "text"]);
}

#[test]
fn server_tools_go_back_whole_and_in_place() {
    let blocks = sent_back("web-search-server-tool.sse");
    assert_eq!(kinds(&blocks)[..3], ["server_tool_use", "web_search_tool_result", "text"]);
    assert_eq!(blocks[0]["input"], json!({"query": "San Francisco weather today"}));
    assert!(blocks[1]["content"][0]["encrypted_content"].is_string());
    let blocks = sent_back("code-exec-server-tool.sse");
    assert_eq!(kinds(&blocks), ["thinking", "text", "server_tool_use", "bash_code_execution_tool_result", "text"]);
    let blocks = sent_back("compaction-usage.sse");
    assert_eq!(kinds(&blocks), ["compaction", "text"]);
    assert!(blocks[0]["content"].as_str().unwrap().starts_with("The user provided"));
}
