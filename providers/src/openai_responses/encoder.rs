//! From a conversation to the body of `POST {base}/responses`.

use crate::{
    body::{Body, json_text, schema},
    endpoint::Server,
    history::{CallIds, Sent, calls, said, sent},
    protocol::Protocol,
    request::ModelRequest,
};
use bytes::Bytes;
use docket_domain::{conversation::Message, failure::Failure};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
        content: Vec<Content<'a>>,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        /// A string that holds a JSON object.
        arguments: String,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: String,
    },
    #[serde(untagged)]
    AsReceived(&'a RawValue),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    InputText { text: &'a str },
    OutputText { text: &'a str },
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
    /// Strict schemas need every property to be required, which ours are not.
    strict: bool,
}

#[derive(Serialize)]
struct StreamOptions {
    /// Padding against eavesdroppers who count bytes, which triples the size of a stream.
    include_obfuscation: bool,
}

/// The parts of the body.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>, server: Server) -> Result<Vec<Bytes>, Failure> {
    let mut body = Body::default();
    head(&mut body, request, server)?;
    let (mut ids, mut first) = (CallIds::default(), true);
    for message in request.messages {
        for item in items(request, message, &mut ids)? {
            if !std::mem::take(&mut first) {
                body.raw(",");
            }
            body.raw(&item);
        }
        body.cut();
    }
    body.raw("]}");
    Ok(body.finish())
}

fn head(body: &mut Body, request: &ModelRequest<'_>, server: Server) -> Result<(), Failure> {
    body.raw("{");
    body.field("model", &request.model.model())?;
    body.field("stream", &true)?;
    if server == Server::OpenAi {
        body.field("stream_options", &StreamOptions { include_obfuscation: false })?;
    }
    body.field("store", &false)?;
    if reasons(request.model.model()) {
        body.field("include", &["reasoning.encrypted_content"])?;
    }
    if let Some(limit) = request.max_output_tokens {
        body.field("max_output_tokens", &limit)?;
    }
    if !request.system.trim().is_empty() {
        body.field("instructions", &request.system)?;
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, description) = (tool.name.as_str(), tool.description.as_str());
            let parameters = schema(name, &tool.input_schema)?;
            Ok(Tool { r#type: "function", name, description, parameters, strict: false })
        });
        body.field("tools", &tools.collect::<Result<Vec<_>, Failure>>()?)?;
    }
    body.name("input")?;
    body.raw("[");
    body.cut();
    Ok(())
}

/// Whether a model can be asked for its encrypted reasoning: one that does not reason refuses the question. Those that do
/// not are a closed set of old names; a name that says nothing (a deployment's) counts as a reasoning model's.
fn reasons(model: &str) -> bool {
    let model = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let old = ["gpt-4", "gpt-3.5", "chatgpt-4o", "gpt-35"].iter().any(|name| model.starts_with(name));
    !(old || model.starts_with("gpt-5") && model.contains("-chat"))
}

/// What a kept item is, as far as it matters here.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    r#type: String,
    phase: Option<String>,
}

/// Calls of the provider's own tools whose results are the client's to give. We never offer such a tool and have no result,
/// and a call without one is refused.
const OURS_TO_ANSWER: &[&str] =
    &["custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call", "mcp_approval_request"];

/// The items on the wire, as JSON texts, that one of our messages becomes: an answer's tool results follow it at once.
fn items(request: &ModelRequest<'_>, message: &Message, ids: &mut CallIds) -> Result<Vec<String>, Failure> {
    if let Message::User { content, .. } = message {
        let content = said(content).into_iter().map(|text| Content::InputText { text }).collect();
        return Ok(vec![json_text(&Item::Message { role: "user", phase: None, content })?]);
    }
    let parts = sent(request, message, Protocol::OpenAiResponses.dialect(), ids)?;
    let (mut items, mut phase) = (Vec::new(), None);
    // Reasoning is taken only together with what it led to.
    let mut reasoning = Vec::new();
    for part in &parts {
        let item = match part {
            Sent::Text(text) => {
                let content = vec![Content::OutputText { text }];
                Item::Message { role: "assistant", phase: phase.take(), content }
            }
            Sent::Call(call) => Item::FunctionCall { call_id: &call.id, name: &call.name, arguments: json_text(&call.input)? },
            Sent::Opaque(block) => {
                let Ok(kept) = serde_json::from_str::<Kept>(block.get()) else { continue };
                match kept.r#type.as_str() {
                    "message" => {
                        phase = kept.phase;
                        continue;
                    }
                    "reasoning" => {
                        if reasons(request.model.model()) {
                            reasoning.push(Item::AsReceived(block));
                        }
                        continue;
                    }
                    ours if ours.is_empty() || OURS_TO_ANSWER.contains(&ours) => continue,
                    _ => Item::AsReceived(block),
                }
            }
            Sent::Reasoning { .. } => continue,
        };
        items.append(&mut reasoning);
        items.push(item);
    }
    let outputs = calls(&parts).map(|call| Item::FunctionCallOutput { call_id: &call.id, output: call.named_output() });
    items.into_iter().chain(outputs).map(|item| json_text(&item)).collect()
}

#[cfg(test)]
mod tests {
    use super::reasons;

    #[test]
    fn only_models_that_reason_are_asked_for_it() {
        for model in ["gpt-5", "gpt-5.6-luna", "o4-mini", "codex-mini", "openai/gpt-oss-20b", "my-deployment"] {
            assert!(reasons(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "chatgpt-4o-latest", "gpt-5-chat-latest", "gpt-5.2-chat"] {
            assert!(!reasons(model), "{model}");
        }
    }
}
