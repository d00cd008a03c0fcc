//! From a conversation to the body of `POST /v1/messages`.
//!
//! Caching is asked for by a marker on the last tool and one on the system prompt, which never move, and by the marker at
//! the top level, with which the provider itself marks the last block: a marker in a message would change the message's
//! bytes at every step.

use super::DEFAULT_MAX_TOKENS;
use crate::{
    body::schema,
    history::{CallIds, Sent, ToolInput, calls, said, sent},
    protocol::Protocol,
    request::ModelRequest,
    turns::{Role, Shape, Turns},
};
use bytes::Bytes;
use docket_domain::{
    conversation::{AssistantPart, Message, ToolOutcome},
    failure::Failure,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const SHAPE: Shape = Shape {
    assistant: "assistant",
    content: "content",
    opening: r#"{"type":"text","text":"(The conversation goes on from here.)"}"#,
};

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
    let mut encoder = Encoder { turns: Turns::new(SHAPE), ids: CallIds::default() };
    encoder.head(request)?;
    for (n, message) in request.messages.iter().enumerate() {
        encoder.message(request, message, request.messages.get(n + 1))?;
        encoder.turns.body.cut();
    }
    Ok(encoder.turns.finish("}"))
}

struct Encoder {
    turns: Turns,
    ids: CallIds,
}

impl Encoder {
    fn head(&mut self, request: &ModelRequest<'_>) -> Result<(), Failure> {
        let body = &mut self.turns.body;
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
        body.name("messages")?;
        body.raw("[");
        body.cut();
        Ok(())
    }

    /// `next` is the message after it.
    fn message(&mut self, request: &ModelRequest<'_>, message: &Message, next: Option<&Message>) -> Result<(), Failure> {
        if let Message::User { content, .. } = message {
            return said(content).into_iter().try_for_each(|text| self.turns.block(Role::User, &Block::Text { text }));
        }
        let parts = sent(request, message, Protocol::AnthropicMessages.dialect(), &mut self.ids)?;
        let results: Vec<_> = parts.iter().filter_map(|part| opaque(part)?.tool_use_id).collect();
        for part in &parts {
            let block = match part {
                Sent::Text(text) => Block::Text { text },
                // Without its proof it would be refused.
                Sent::Reasoning { signature: "", .. } => continue,
                Sent::Reasoning { text, signature } => Block::Thinking { thinking: text, signature },
                Sent::Call(call) => Block::ToolUse { id: &call.id, name: &call.name, input: call.input },
                Sent::Opaque(block) => {
                    let kept = opaque(part)
                        .is_some_and(|kept| kept.is_block() && (!kept.is_open(&results) || goes_on(&parts, next, &kept.id)));
                    if kept {
                        self.turns.block(Role::Assistant, block)?;
                    }
                    continue;
                }
            };
            self.turns.block(Role::Assistant, &block)?;
        }
        for call in calls(&parts) {
            let (tool_use_id, content, is_error) = (&*call.id, call.output, call.outcome != ToolOutcome::Ok);
            self.turns.block(Role::User, &Block::ToolResult { tool_use_id, content, is_error })?;
        }
        Ok(())
    }
}

/// What has to be known of an opaque block.
#[derive(Deserialize)]
struct Opaque {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    id: String,
    tool_use_id: Option<String>,
}

fn opaque(part: &Sent<'_>) -> Option<Opaque> {
    if let Sent::Opaque(block) = part { serde_json::from_str(block.get()).ok() } else { None }
}

impl Opaque {
    /// It has a type, and is no delta (which only means something inside the stream that it came in).
    fn is_block(&self) -> bool {
        !self.r#type.is_empty() && !self.r#type.ends_with("_delta")
    }

    /// A call of the provider's own tool whose result is not among `results`.
    fn is_open(&self, results: &[String]) -> bool {
        self.r#type.ends_with("tool_use") && !results.contains(&self.id)
    }
}

/// Whether a call of the provider's own tool may go without its result: an answer that the provider paused goes on in the
/// next message, or is sent back as the last. Anywhere else it was interrupted, and the call would be refused.
fn goes_on(parts: &[Sent<'_>], next: Option<&Message>, id: &str) -> bool {
    match next {
        None => calls(parts).next().is_none(),
        Some(Message::User { .. }) => false,
        Some(Message::Assistant { parts, .. }) => parts.iter().any(|part| match part {
            AssistantPart::Opaque { data, .. } => {
                serde_json::from_str::<Opaque>(data).is_ok_and(|result| result.tool_use_id.as_deref() == Some(id))
            }
            _ => false,
        }),
    }
}
