//! What holds for the request of every conversation, well formed or not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod bodies;
mod histories;
mod rules;
mod switches;

use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolCall, ToolDefinition, ToolOutcome, ToolOutput, ToolResult},
    ids::{MessageId, ModelCallId, ToolCallId},
};
use docket_providers::{EncodedRequest, ModelRequest, Providers};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};
use uuid::Uuid;

/// Every protocol, by a model that speaks it. `openai` is something compatible here; see [`own`] for OpenAI itself.
pub(crate) const MODELS: [&str; 6] = [
    "anthropic/m",
    "own/gpt-5",
    "openai/m",
    "gemini/gemini-3-pro",
    "azure/deployment",
    "bedrock/us.anthropic.claude-sonnet-4-6",
];

fn made(variables: &[(&'static str, &'static str)]) -> Providers {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Providers::from_env(|name| variables.get(name).map(|value| (*value).to_owned())).unwrap()
}

/// All of them, with OpenAI itself or something compatible: both are called `openai`.
fn providers(own: bool) -> &'static Providers {
    const OTHERS: [(&str, &str); 5] = [
        ("ANTHROPIC_API_KEY", "k"),
        ("GEMINI_API_KEY", "k"),
        ("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:1"),
        ("AZURE_OPENAI_API_KEY", "k"),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:1"),
    ];
    static OWN: LazyLock<Providers> = LazyLock::new(|| made(&[&OTHERS[..], &[("OPENAI_API_KEY", "k")]].concat()));
    static COMPATIBLE: LazyLock<Providers> =
        LazyLock::new(|| made(&[&OTHERS[..], &[("OPENAI_BASE_URL", "http://127.0.0.1:1")]].concat()));
    if own { &OWN } else { &COMPATIBLE }
}

fn tools() -> Vec<ToolDefinition> {
    let tool = |name: &str| ToolDefinition {
        name: name.to_owned(),
        description: format!("Does {name}."),
        input_schema: r#"{"type": "object", "properties": {}}"#.to_owned(),
    };
    vec![tool("read_file"), tool("execute")]
}

/// `own/…` is a model of OpenAI itself.
fn encode(model: &str, system: &str, messages: &[Message]) -> EncodedRequest {
    encode_with(model, system, messages, &tools())
}

fn encode_with(model: &str, system: &str, messages: &[Message], tools: &[ToolDefinition]) -> EncodedRequest {
    let own = model.starts_with("own/");
    let (model, outputs) =
        (model.replace("own/", "openai/").parse().unwrap(), HashMap::from([("ab".to_owned(), "from a blob".to_owned())]));
    let request = ModelRequest { model: &model, system, messages, outputs: &outputs, tools, max_output_tokens: Some(77) };
    providers(own).encode(&request).unwrap()
}

fn user(text: &str) -> Message {
    Message::User { id: MessageId(Uuid::nil()), content: vec![PromptPart::Text { text: text.to_owned() }] }
}

/// An answer of `model`.
fn answer(model: &str, parts: Vec<AssistantPart>, results: Vec<Option<ToolResult>>) -> Message {
    let model = model.replace("own/", "openai/").parse().unwrap();
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
