//! From server-sent events of the Responses API to common events.

use super::{
    blocks::{Blocks, Piece},
    usage,
};
use crate::{deltas::Deltas, failure::ErrorBody, protocol::Protocol, sse::SseFrame};
use docket_domain::{
    failure::{Failure, FailureClass},
    usage::StopReason,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    blocks: Blocks,
    called_tool: bool,
    refused: bool,
}

/// Any event. Everything is optional, so that an event of another shape is kept as opaque and never fails.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    r#type: String,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
    delta: Option<Value>,
    text: Option<Value>,
    refusal: Option<Value>,
    arguments: Option<Value>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    response: Option<Value>,
}

impl Interpreter {
    pub(crate) fn frame(&mut self, frame: &SseFrame, out: &mut Deltas) {
        let data = frame.data.trim();
        // The terminal is an event; a `[DONE]` after it is what proxies add.
        if data.is_empty() || data == "[DONE]" {
            return;
        }
        let Ok(document) = serde_json::from_str::<Value>(data) else {
            return out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut event"));
        };
        let kind = document["type"].as_str().unwrap_or(&frame.event);
        if kind == "error" || (kind.is_empty() && ErrorBody::find(&document).is_some()) {
            return out.failed(ErrorBody::find(&document).unwrap_or_else(|| ErrorBody::read(&document)).failure(None));
        }
        let known = serde_json::from_str::<Event<'_>>(data).ok().and_then(|event| self.event(&event, out));
        if known.is_none() {
            out.opaque(None, Protocol::OpenAiResponses.dialect(), data);
        }
    }

    /// `None` if the event is not known.
    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Option<()> {
        let item = || event.output_index;
        let (content, summary) = (event.content_index.unwrap_or(0), event.summary_index.unwrap_or(0));
        let delta = || event.delta.as_ref().and_then(Value::as_str);
        let whole = |field: &'_ Option<Value>| field.as_ref().and_then(Value::as_str).map(str::to_owned);
        match event.r#type.as_str() {
            // They repeat the request, and announce what follows.
            "response.created" | "response.queued" | "response.in_progress" => {}
            "response.content_part.added" | "response.content_part.done" => {}
            "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done" => {}
            "response.output_item.added" => self.item_begun(item()?, event.item?, out)?,
            "response.output_item.done" => self.item_done(item()?, event.item?, out)?,
            "response.output_text.delta" => self.delta(item()?, Piece::Text(content), delta()?, out),
            "response.output_text.done" => self.whole(item()?, Piece::Text(content), &whole(&event.text)?, out),
            "response.refusal.delta" => self.delta(item()?, Piece::Refusal(content), delta()?, out),
            "response.refusal.done" => self.whole(item()?, Piece::Refusal(content), &whole(&event.refusal)?, out),
            "response.reasoning_summary_text.delta" => self.delta(item()?, Piece::Summary(summary), delta()?, out),
            "response.reasoning_summary_text.done" => {
                self.whole(item()?, Piece::Summary(summary), &whole(&event.text)?, out);
            }
            "response.reasoning_text.delta" => self.delta(item()?, Piece::ReasoningText(content), delta()?, out),
            "response.reasoning_text.done" => self.whole(item()?, Piece::ReasoningText(content), &whole(&event.text)?, out),
            // Of a call that never began nobody knows the name.
            "response.function_call_arguments.delta" if self.blocks.has(item()?, Piece::Arguments) => {
                self.delta(item()?, Piece::Arguments, delta()?, out);
            }
            "response.function_call_arguments.done" if self.blocks.has(item()?, Piece::Arguments) => {
                self.whole(item()?, Piece::Arguments, &whole(&event.arguments)?, out);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.ended(event.r#type.as_str(), event.response.as_ref()?, out);
            }
            _ => return None,
        }
        Some(())
    }

    fn delta(&mut self, item: u64, piece: Piece, text: &str, out: &mut Deltas) {
        let block = self.blocks.received(item, piece, text);
        self.say(block, piece, text, out);
    }

    fn whole(&mut self, item: u64, piece: Piece, text: &str, out: &mut Deltas) {
        if let Some((block, rest)) = self.blocks.missing(item, piece, text) {
            self.say(block, piece, rest, out);
        }
    }

    fn say(&mut self, block: u32, piece: Piece, text: &str, out: &mut Deltas) {
        match piece {
            Piece::Text(_) => out.text(block, text),
            Piece::Refusal(_) => {
                self.refused = true;
                out.text(block, text);
            }
            Piece::Summary(_) | Piece::ReasoningText(_) => out.reasoning(block, text),
            Piece::Arguments => out.tool_input(block, text),
            Piece::Whole | Piece::Frame => {}
        }
    }

    fn item_begun(&mut self, index: u64, raw: &RawValue, out: &mut Deltas) -> Option<()> {
        let item: Value = serde_json::from_str(raw.get()).ok()?;
        match item["type"].as_str()? {
            "message" => {
                // The phase of a message has to go back with it, so its frame is a block before its text.
                if item["phase"].is_string() && !self.blocks.has(index, Piece::Frame) {
                    let block = self.blocks.at(index, Piece::Frame);
                    out.opaque(Some(block), Protocol::OpenAiResponses.dialect(), raw.get());
                }
            }
            "function_call" => self.call_begun(index, &item, out),
            "reasoning" => {}
            _ => {
                // Its beginning is a delta of its own; the whole of it follows.
                self.blocks.at(index, Piece::Whole);
                out.opaque(None, Protocol::OpenAiResponses.dialect(), raw.get());
            }
        }
        Some(())
    }

    fn call_begun(&mut self, index: u64, item: &Value, out: &mut Deltas) {
        if self.blocks.has(index, Piece::Arguments) {
            return;
        }
        self.called_tool = true;
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let id = if text("call_id").is_empty() { text("id") } else { text("call_id") };
        let block = self.blocks.received(index, Piece::Arguments, text("arguments"));
        out.tool_call(block, id, text("name"), text("arguments"));
    }

    /// The item as it is in the end, which alone can be sent back.
    fn item_done(&mut self, index: u64, raw: &RawValue, out: &mut Deltas) -> Option<()> {
        let item: Value = serde_json::from_str(raw.get()).ok()?;
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let list = |name: &str| item[name].as_array().map(Vec::as_slice).unwrap_or_default();
        match item["type"].as_str()? {
            "message" => {
                for (part, n) in list("content").iter().zip(0..) {
                    match part["type"].as_str().unwrap_or_default() {
                        "output_text" => self.whole(index, Piece::Text(n), part["text"].as_str()?, out),
                        "refusal" => self.whole(index, Piece::Refusal(n), part["refusal"].as_str()?, out),
                        _ => return None,
                    }
                }
            }
            "function_call" => {
                self.call_begun(index, &item, out);
                self.whole(index, Piece::Arguments, text("arguments"), out);
            }
            "reasoning" => {
                for (part, n) in list("summary").iter().zip(0..) {
                    self.whole(index, Piece::Summary(n), part["text"].as_str().unwrap_or_default(), out);
                }
                for (part, n) in list("content").iter().zip(0..) {
                    self.whole(index, Piece::ReasoningText(n), part["text"].as_str().unwrap_or_default(), out);
                }
                let block = self.blocks.at(index, Piece::Whole);
                out.opaque(Some(block), Protocol::OpenAiResponses.dialect(), raw.get());
            }
            _ => {
                let block = self.blocks.at(index, Piece::Whole);
                out.opaque(Some(block), Protocol::OpenAiResponses.dialect(), raw.get());
            }
        }
        Some(())
    }

    /// There is no stop reason; what was received says it.
    fn ended(&self, kind: &str, response: &Value, out: &mut Deltas) {
        out.usage(usage::counts(&response["usage"]));
        if kind == "response.failed" {
            return out.failed(ErrorBody::read(&response["error"]).failure(None));
        }
        out.finished(match response.pointer("/incomplete_details/reason").and_then(Value::as_str) {
            Some("content_filter") => StopReason::Refusal,
            Some("max_output_tokens") => StopReason::MaxTokens,
            _ if self.called_tool => StopReason::ToolUse,
            _ if self.refused => StopReason::Refusal,
            _ => StopReason::EndOfTurn,
        });
    }
}
