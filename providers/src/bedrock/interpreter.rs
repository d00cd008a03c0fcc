//! From frames of `ConverseStream` to common events.

use super::{block::OpaqueBlock, usage};
use crate::{aws::Frame, deltas::Deltas, failure::ErrorBody, protocol::Protocol};
use docket_domain::{
    failure::{Failure, FailureClass},
    usage::StopReason,
};
use serde_json::Value;
use std::collections::HashMap;

/// What kind of block it is. Text and reasoning are not announced: they begin with their first delta.
#[derive(Debug)]
enum Block {
    Text,
    Reasoning,
    ToolUse,
    Opaque(OpaqueBlock),
}

/// The state of one answer. Blocks are addressed by their index on the wire, never as "the current one".
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    /// From the index on the wire to our ordinal.
    ordinals: HashMap<u64, u32>,
    blocks: HashMap<u64, Block>,
    stop_reason: Option<String>,
    called_tool: bool,
}

impl Interpreter {
    pub(crate) fn frame(&mut self, frame: &Frame, out: &mut Deltas) {
        let text = String::from_utf8_lossy(&frame.payload);
        let payload = match serde_json::from_str::<Value>(&text) {
            Ok(payload) => payload,
            Err(_) if text.trim().is_empty() => Value::Null,
            Err(_) => return out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut event")),
        };
        match frame.header(":message-type") {
            "exception" => out.failed(ErrorBody::named(frame.header(":exception-type"), &payload).failure(None)),
            "error" => {
                let message = Value::String(frame.header(":error-message").to_owned());
                out.failed(ErrorBody::named(frame.header(":error-code"), &message).failure(None));
            }
            _ => {
                let name = frame.header(":event-type");
                if self.event(name, &payload, out).is_none() {
                    // The name is not in the payload.
                    let whole = serde_json::json!({ name: payload });
                    out.opaque(None, Protocol::BedrockConverse.dialect(), &whole.to_string());
                }
            }
        }
    }

    /// The connection ended. The last event brings the counts; without it the answer is still whole.
    pub(crate) fn end(&self, out: &mut Deltas) {
        if self.stop_reason.is_some() {
            self.stopped(out);
        }
    }

    /// `None` if the event is not known, or says more than what was taken.
    fn event(&mut self, name: &str, payload: &Value, out: &mut Deltas) -> Option<()> {
        let index = || payload.get("contentBlockIndex").and_then(Value::as_u64);
        match name {
            "messageStart" => {}
            "contentBlockStart" => self.block_started(index()?, payload.get("start")?, out)?,
            "contentBlockDelta" => self.block_delta(index()?, payload.get("delta")?, out)?,
            "contentBlockStop" => {
                let index = index()?;
                if let Some(Block::Opaque(block)) = self.blocks.remove(&index) {
                    out.opaque(self.ordinals.get(&index).copied(), Protocol::BedrockConverse.dialect(), &block.whole());
                }
            }
            "messageStop" => {
                self.stop_reason = Some(payload.get("stopReason")?.as_str()?.to_owned());
                return only(payload, &["stopReason"]);
            }
            "metadata" => {
                out.usage(usage::counts(&payload["usage"]));
                let known = only(payload, &["usage", "metrics", "performanceConfig", "serviceTier"]);
                if known.is_none() {
                    out.opaque(None, Protocol::BedrockConverse.dialect(), &serde_json::json!({ name: payload }).to_string());
                }
                if self.stop_reason.is_some() {
                    self.stopped(out);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn block_started(&mut self, index: u64, start: &Value, out: &mut Deltas) -> Option<()> {
        let ordinal = self.begin(index)?;
        let text = |path: &str| start.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let kind = if start.get("toolUse").is_some() && matches!(text("/toolUse/type"), "" | "tool_use") {
            self.called_tool = true;
            out.tool_call(ordinal, text("/toolUse/toolUseId"), text("/toolUse/name"), "");
            Block::ToolUse
        } else {
            // Its beginning is a delta of its own; the whole of it follows when the block stops.
            out.opaque(None, Protocol::BedrockConverse.dialect(), &start.to_string());
            Block::Opaque(OpaqueBlock::new(start))
        };
        self.blocks.insert(index, kind);
        Some(())
    }

    fn block_delta(&mut self, index: u64, delta: &Value, out: &mut Deltas) -> Option<()> {
        if !self.ordinals.contains_key(&index) {
            let kind = if delta.get("text").is_some() || delta.get("citation").is_some() {
                Block::Text
            } else if delta.pointer("/reasoningContent/redactedContent").is_some() {
                Block::Opaque(OpaqueBlock::Redacted(Vec::new()))
            } else if delta.get("reasoningContent").is_some() {
                Block::Reasoning
            } else {
                return None;
            };
            self.begin(index)?;
            self.blocks.insert(index, kind);
        }
        let ordinal = *self.ordinals.get(&index)?;
        let text = |path: &str| delta.pointer(path).and_then(Value::as_str);
        match self.blocks.get_mut(&index)? {
            Block::Text => out.text(ordinal, text("/text")?),
            Block::Reasoning => {
                let (thought, signature) = (text("/reasoningContent/text"), text("/reasoningContent/signature"));
                thought.or(signature)?;
                out.reasoning(ordinal, thought.unwrap_or_default());
                out.signature(ordinal, signature.unwrap_or_default());
            }
            Block::ToolUse => out.tool_input(ordinal, text("/toolUse/input")?),
            Block::Opaque(block) => {
                block.add(delta)?;
                // An empty fragment carries nothing.
                if text("/toolUse/input") != Some("") {
                    out.opaque(None, Protocol::BedrockConverse.dialect(), &delta.to_string());
                }
            }
        }
        Some(())
    }

    /// The ordinal of a block that begins; `None` if it has begun before.
    fn begin(&mut self, index: u64) -> Option<u32> {
        let ordinal = u32::try_from(self.ordinals.len()).ok()?;
        if self.ordinals.contains_key(&index) {
            return None;
        }
        self.ordinals.insert(index, ordinal);
        Some(ordinal)
    }

    fn stopped(&self, out: &mut Deltas) {
        let by_default = if self.called_tool { StopReason::ToolUse } else { StopReason::EndOfTurn };
        let failed = |class, message: &str| Failure::new(class, message);
        let failure = match self.stop_reason.as_deref() {
            Some("model_context_window_exceeded") => {
                let message = "the model's context window was full before it had finished (model_context_window_exceeded)";
                failed(FailureClass::ContextOverflow, message)
            }
            // Another try may fit.
            Some(reason @ ("malformed_model_output" | "malformed_tool_use")) => {
                failed(FailureClass::Provider, &format!("the model wrote something that makes no sense ({reason})"))
            }
            Some("end_turn" | "stop_sequence") => return out.finished(StopReason::EndOfTurn),
            Some("max_tokens") => return out.finished(StopReason::MaxTokens),
            Some("guardrail_intervened" | "content_filtered") => return out.finished(StopReason::Refusal),
            _ => return out.finished(by_default),
        };
        out.failed(failure);
    }
}

/// Whether an event has these fields and no other. `p` is padding against eavesdroppers who count bytes.
fn only(payload: &Value, names: &[&str]) -> Option<()> {
    let fields = payload.as_object()?;
    fields.iter().all(|(name, value)| value.is_null() || name == "p" || names.contains(&name.as_str())).then_some(())
}
