//! From server-sent events of the Messages API to common events.

use super::{
    block::{Block, OpaqueBlock},
    usage::WireUsage,
};
use crate::{deltas::Deltas, failure::ErrorBody, protocol::Protocol, sse::SseFrame};
use docket_domain::{
    failure::{Failure, FailureClass},
    usage::StopReason,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use std::collections::HashMap;

/// The state of one answer. Blocks are addressed by their index on the wire, never as "the current one".
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    /// From the index on the wire to our ordinal.
    ordinals: HashMap<u64, u32>,
    blocks: HashMap<u64, Block>,
    stop_reason: Option<String>,
    called_tool: bool,
}

/// Any event. Everything is optional, so that an event of another shape is kept as opaque and never fails.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    r#type: String,
    index: Option<u64>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    message: Option<StartedMessage>,
    usage: Option<WireUsage>,
    context_management: Option<Value>,
}

#[derive(Deserialize)]
struct StartedMessage {
    usage: Option<WireUsage>,
}

impl Interpreter {
    pub(crate) fn frame(&mut self, frame: &SseFrame, out: &mut Deltas) {
        let data = frame.data.trim();
        if data.is_empty() {
            return;
        }
        let known = match serde_json::from_str::<Event<'_>>(data) {
            Ok(event) => self.event(&event, data, out),
            // A known field of an unknown form (`message` of an error is text). What is no JSON at all was cut or spoiled.
            Err(_) => match serde_json::from_str::<Value>(data) {
                Ok(document) if document["type"] == "error" || document.get("error").is_some_and(|e| !e.is_null()) => {
                    failed(&document, out);
                    Some(())
                }
                Ok(_) => None,
                Err(_) => {
                    out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut event"));
                    Some(())
                }
            },
        };
        if known.is_none() {
            out.opaque(None, Protocol::AnthropicMessages.dialect(), data);
        }
    }

    /// `None` if the event is not known.
    fn event(&mut self, event: &Event<'_>, data: &str, out: &mut Deltas) -> Option<()> {
        match event.r#type.as_str() {
            "ping" => {}
            "message_start" => {
                let usage = data_usage(event.message.as_ref()?.usage.as_ref());
                out.usage(usage);
            }
            "content_block_start" => self.block_started(event.index?, event.content_block?, out)?,
            "content_block_delta" => return self.block_delta(event.index?, event.delta?, data, out),
            "content_block_stop" => {
                let index = event.index?;
                if let Some(Block::Opaque(block)) = self.blocks.remove(&index) {
                    out.opaque(self.ordinals.get(&index).copied(), Protocol::AnthropicMessages.dialect(), &block.whole());
                }
            }
            "message_delta" => {
                let delta: Map<String, Value> = serde_json::from_str(event.delta?.get()).ok()?;
                if let Some(reason) = delta.get("stop_reason").and_then(Value::as_str) {
                    self.stop_reason = Some(reason.to_owned());
                }
                out.usage(data_usage(event.usage.as_ref()));
                // Why it refused, which container it used, what was edited: no common meaning, but worth keeping.
                let more = delta
                    .iter()
                    .any(|(name, value)| !matches!(name.as_str(), "stop_reason" | "stop_sequence") && !value.is_null());
                if more || event.context_management.is_some() {
                    return None;
                }
            }
            "message_stop" => self.stopped(out),
            "error" => failed(&serde_json::from_str(data).ok()?, out),
            "" => {
                let document: Value = serde_json::from_str(data).ok()?;
                document.get("error").filter(|error| !error.is_null())?;
                failed(&document, out);
            }
            _ => return None,
        }
        Some(())
    }

    fn block_started(&mut self, index: u64, start: &RawValue, out: &mut Deltas) -> Option<()> {
        let block: Map<String, Value> = serde_json::from_str(start.get()).ok()?;
        let ordinal = u32::try_from(self.ordinals.len()).ok()?;
        // A block begins once.
        if self.ordinals.contains_key(&index) {
            return None;
        }
        self.ordinals.insert(index, ordinal);
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = match text("type") {
            "text" => {
                out.text(ordinal, text("text"));
                Block::Text
            }
            "thinking" => {
                out.reasoning(ordinal, text("thinking"));
                out.signature(ordinal, text("signature"));
                Block::Thinking
            }
            "tool_use" => {
                self.called_tool = true;
                // The input is `{}` here and follows in deltas; a proxy that sends it whole has it here.
                let whole = block.get("input").and_then(Value::as_object).filter(|input| !input.is_empty());
                let input = whole.map(|input| Value::Object(input.clone()).to_string()).unwrap_or_default();
                out.tool_call(ordinal, text("id"), text("name"), &input);
                Block::ToolUse
            }
            _ => {
                // Its beginning is a delta of its own; the whole of it follows when the block stops.
                out.opaque(None, Protocol::AnthropicMessages.dialect(), start.get());
                Block::Opaque(OpaqueBlock::new(start))
            }
        };
        self.blocks.insert(index, kind);
        Some(())
    }

    fn block_delta(&mut self, index: u64, raw: &RawValue, data: &str, out: &mut Deltas) -> Option<()> {
        let delta: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        let ordinal = *self.ordinals.get(&index)?;
        let kind = delta.get("type").and_then(Value::as_str).unwrap_or_default();
        let text = |name: &str| delta.get(name).and_then(Value::as_str);
        match (self.blocks.get_mut(&index)?, kind) {
            (Block::Text, "text_delta") => out.text(ordinal, text("text")?),
            (Block::Thinking, "thinking_delta") => out.reasoning(ordinal, text("thinking")?),
            (Block::Thinking, "signature_delta") => out.signature(ordinal, text("signature")?),
            (Block::ToolUse, "input_json_delta") => out.tool_input(ordinal, text("partial_json")?),
            (Block::Opaque(block), _) => {
                block.add(&delta);
                // An empty fragment carries nothing.
                if text("partial_json") != Some("") {
                    out.opaque(None, Protocol::AnthropicMessages.dialect(), data);
                }
            }
            // A citation, or what is yet to come.
            _ => return None,
        }
        Some(())
    }

    fn stopped(&self, out: &mut Deltas) {
        let by_default = if self.called_tool { StopReason::ToolUse } else { StopReason::EndOfTurn };
        let reason = match self.stop_reason.as_deref() {
            Some("end_turn" | "stop_sequence") => StopReason::EndOfTurn,
            Some("max_tokens") => StopReason::MaxTokens,
            Some("refusal") => StopReason::Refusal,
            Some("pause_turn" | "compaction") => StopReason::Pause,
            Some("model_context_window_exceeded") => {
                let message = "the model's context window was full before it had finished (model_context_window_exceeded)";
                return out.failed(Failure::new(FailureClass::ContextOverflow, message));
            }
            _ => by_default,
        };
        out.finished(reason);
    }
}

fn data_usage(usage: Option<&WireUsage>) -> docket_domain::usage::Usage {
    usage.map(WireUsage::counts).unwrap_or_default()
}

fn failed(document: &Value, out: &mut Deltas) {
    let error = ErrorBody::find(document).unwrap_or_else(|| ErrorBody::read(document));
    out.failed(error.failure(None));
}
