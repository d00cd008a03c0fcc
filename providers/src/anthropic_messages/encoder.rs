//! From a conversation to the body of `POST /v1/messages`.
//!
//! Turns alternate here: the results of an assistant's tool calls, and whatever people say after it, make up one user
//! message, results first. So that a part never changes when the conversation grows, a message is left open at the end of
//! its part, and closed by the next message of the other role or by the tail.
//!
//! Caching is asked for by a marker on the last tool and one on the system prompt, which never move, and by the marker at
//! the top level, with which the provider itself marks the last block: a marker in a message would change the message's
//! bytes at every step.

use super::DEFAULT_MAX_TOKENS;
use crate::{
    body::{Body, schema},
    history::{CallIds, EMPTY_MESSAGE, NO_OUTPUT, NO_RESULT, ToolInput, tool_name},
    protocol::Protocol,
    request::ModelRequest,
};
use bytes::Bytes;
use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolOutcome},
    failure::Failure,
};
use serde::Serialize;
use serde_json::value::RawValue;

/// Stands before a conversation that begins with an answer, which the protocol does not take.
const CONTINUED: &str = "(The conversation goes on from here.)";

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: ToolInput<'a> },
    ToolResult { tool_use_id: &'a str, content: &'a str, is_error: bool },
}

#[derive(Clone, Copy, Serialize)]
struct Marker {
    r#type: &'static str,
}

const MARKER: Marker = Marker { r#type: "ephemeral" };

#[derive(Serialize)]
struct MarkedText<'a> {
    r#type: &'static str,
    text: &'a str,
    cache_control: Marker,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Marker>,
}

/// The parts of the body.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>) -> Result<Vec<Bytes>, Failure> {
    let mut encoder = Encoder { body: Body::default(), role: None, first: true, ids: CallIds::default() };
    encoder.head(request)?;
    for message in request.messages {
        encoder.message(request, message)?;
        encoder.body.cut();
    }
    encoder.close();
    encoder.body.raw("]}");
    Ok(encoder.body.finish())
}

struct Encoder {
    body: Body,
    /// Whose message is open.
    role: Option<&'static str>,
    /// Whether the next block is the first of its message.
    first: bool,
    ids: CallIds,
}

impl Encoder {
    fn head(&mut self, request: &ModelRequest<'_>) -> Result<(), Failure> {
        let body = &mut self.body;
        body.raw("{");
        body.field("model", &request.model.model())?;
        body.field("max_tokens", &request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS))?;
        body.field("stream", &true)?;
        body.field("cache_control", &MARKER)?;
        if !request.system.trim().is_empty() {
            body.field("system", &[MarkedText { r#type: "text", text: request.system, cache_control: MARKER }])?;
        }
        if let Some(last) = request.tools.len().checked_sub(1) {
            let tools = request.tools.iter().enumerate().map(|(n, tool)| {
                let (name, description) = (tool.name.as_str(), tool.description.as_str());
                let input_schema = schema(name, &tool.input_schema)?;
                Ok(Tool { name, description, input_schema, cache_control: (n == last).then_some(MARKER) })
            });
            body.field("tools", &tools.collect::<Result<Vec<_>, Failure>>()?)?;
        }
        body.raw(",\"messages\":[");
        body.cut();
        Ok(())
    }

    fn message(&mut self, request: &ModelRequest<'_>, message: &Message) -> Result<(), Failure> {
        match message {
            Message::User { content, .. } => {
                let texts = content.iter().map(|PromptPart::Text { text }| text.as_str());
                let said: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
                for text in if said.is_empty() { &[EMPTY_MESSAGE] } else { &said[..] } {
                    self.block("user", &Block::Text { text })?;
                }
            }
            Message::Assistant { model, parts, .. } => {
                let ids: Vec<String> = message.tool_calls().map(|(call, _)| self.ids.id(call)).collect();
                let same_provider = model.provider() == request.model.provider();
                let mut called = ids.iter();
                for part in parts {
                    self.assistant_part(part, same_provider, &mut called)?;
                }
                for (id, (_, result)) in ids.iter().zip(message.tool_calls()) {
                    let (content, is_error) = match result {
                        Some(result) => (request.output(&result.output)?, result.outcome != ToolOutcome::Ok),
                        None => (NO_RESULT, true),
                    };
                    let content = if content.trim().is_empty() { NO_OUTPUT } else { content };
                    self.block("user", &Block::ToolResult { tool_use_id: id, content, is_error })?;
                }
            }
        }
        Ok(())
    }

    /// `same_provider`: whether the message came from the provider that the request goes to. Another one's signatures mean
    /// nothing here.
    fn assistant_part<'a>(
        &mut self,
        part: &AssistantPart,
        same_provider: bool,
        called: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Failure> {
        match part {
            AssistantPart::Text { text } if !text.trim().is_empty() => self.block("assistant", &Block::Text { text }),
            AssistantPart::Reasoning { text, signature: Some(signature) } if same_provider && !signature.is_empty() => {
                self.block("assistant", &Block::Thinking { thinking: text, signature })
            }
            AssistantPart::ToolCall(call) => {
                let (name, input) = (tool_name(&call.name), ToolInput::new(&call.input));
                let id = called.next().map(String::as_str).unwrap_or_default();
                self.block("assistant", &Block::ToolUse { id, name: &name, input })
            }
            AssistantPart::Opaque { dialect, data } if same_provider && dialect == Protocol::AnthropicMessages.dialect() => {
                match serde_json::from_str::<&RawValue>(data) {
                    Ok(block) if is_block(block) => self.block("assistant", &block),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn block(&mut self, role: &'static str, block: &impl Serialize) -> Result<(), Failure> {
        if self.role.is_none() && role == "assistant" {
            self.block("user", &Block::Text { text: CONTINUED })?;
        }
        if self.role != Some(role) {
            if self.role.is_some() {
                self.close();
                self.body.raw(",");
            }
            self.body.raw(&format!("{{\"role\":\"{role}\",\"content\":["));
            (self.role, self.first) = (Some(role), true);
        }
        if !std::mem::take(&mut self.first) {
            self.body.raw(",");
        }
        self.body.value(block)
    }

    fn close(&mut self) {
        if self.role.is_some() {
            self.body.raw("]}");
        }
    }
}

/// An object with a type, and not a delta (which only means something inside the stream that it came in).
fn is_block(block: &RawValue) -> bool {
    let kind = serde_json::from_str::<serde_json::Value>(block.get()).ok();
    kind.is_some_and(|block| block["type"].as_str().is_some_and(|kind| !kind.is_empty() && !kind.ends_with("_delta")))
}
