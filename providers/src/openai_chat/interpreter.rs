//! From chunks of Chat Completions to common events.

use super::{
    calls::{Calls, Place},
    reasoning::{Details, ReasoningField},
    usage,
};
use crate::{deltas::Deltas, failure::ErrorBody, protocol::Protocol, sse::SseFrame};
use docket_domain::{
    failure::{Failure, FailureClass},
    usage::StopReason,
};
use serde_json::{Map, Value};

/// Fields of a chunk that say nothing about the conversation; the raw response keeps them.
const CHUNK_FIELDS: &[&str] = &[
    "id",
    "object",
    "created",
    "model",
    "system_fingerprint",
    "service_tier",
    "choices",
    "usage",
    "obfuscation",
    "provider",
    "x_groq",
    "timings",
    "prompt_filter_results",
    "prompt_token_ids",
];
/// The same of a choice. Log probabilities are never asked for.
const CHOICE_FIELDS: &[&str] = &[
    "index",
    "delta",
    "finish_reason",
    "native_finish_reason",
    "logprobs",
    "content_filter_results",
    "stop_reason",
    "token_ids",
    "matched_stop",
];
/// The same of a delta. `function_call` repeats the tool call in an older form, `channel` is Groq's word for reasoning.
const DELTA_FIELDS: &[&str] = &[
    "role",
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "channel",
    "reasoning_details",
];

/// What a block holds. The wire has no blocks: each kind of text is one, and so is each tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Reasoning,
    ReasoningField,
    ReasoningDetails,
    Content,
    Refusal,
    Call(usize),
    CallExtra(usize),
}

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    blocks: Vec<Kind>,
    calls: Calls,
    reasoning_field: Option<ReasoningField>,
    reasoning_details: Details,
    refused: bool,
    finish_reason: Option<String>,
}

impl Interpreter {
    pub(crate) fn frame(&mut self, frame: &SseFrame, out: &mut Deltas) {
        let data = frame.data.trim();
        if data == "[DONE]" {
            return self.finished(out);
        }
        if data.is_empty() {
            return;
        }
        let Ok(document) = serde_json::from_str::<Value>(data) else {
            return out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut chunk"));
        };
        let error = ErrorBody::find(&document).or_else(|| match document.pointer("/x_groq/error") {
            Some(error) if !error.is_null() => Some(ErrorBody::read(error)),
            _ if frame.event == "error" => Some(ErrorBody::read(&document)),
            _ => None,
        });
        let mut known = document.as_object().is_some_and(|chunk| all_known(chunk, CHUNK_FIELDS));
        for choice in document.get("choices").and_then(Value::as_array).into_iter().flatten() {
            known &= self.choice(choice, out);
        }
        let usage = document.get("usage").and_then(usage::counts);
        if let Some(usage) = usage.or_else(|| document.pointer("/x_groq/usage").and_then(usage::counts)) {
            out.usage(usage);
        }
        if let Some(error) = error {
            out.failed(error.failure(None));
        } else if !known {
            out.opaque(None, Protocol::OpenAiChat.dialect(), data);
        }
    }

    /// The connection ended without `[DONE]`, which some servers never send.
    pub(crate) fn end(&mut self, out: &mut Deltas) {
        if self.finish_reason.is_some() {
            self.finished(out);
        }
    }

    fn finished(&mut self, out: &mut Deltas) {
        if let Some(details) = self.reasoning_details.block() {
            out.opaque(Some(self.block(Kind::ReasoningDetails)), Protocol::OpenAiChat.dialect(), &details);
        }
        out.finished(self.stop_reason());
    }

    /// `false` if it holds something that is not known.
    fn choice(&mut self, choice: &Value, out: &mut Deltas) -> bool {
        // We ask for one choice; another would be a second answer.
        if choice.get("index").and_then(Value::as_u64).unwrap_or(0) != 0 {
            return false;
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish_reason = Some(reason.to_owned());
        }
        let mut known = choice.as_object().is_some_and(|choice| all_known(choice, CHOICE_FIELDS));
        let Some(delta) = choice.get("delta").and_then(Value::as_object) else { return known };
        known &= all_known(delta, DELTA_FIELDS);
        let text = |name: &str| delta.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        // Servers that are changing the name send both.
        let content = text("reasoning_content").map(|text| (ReasoningField::ReasoningContent, text));
        if let Some((field, text)) = content.or_else(|| Some((ReasoningField::Reasoning, text("reasoning")?))) {
            out.reasoning(self.block(Kind::Reasoning), text);
            if self.reasoning_field.replace(field) != Some(field) {
                out.opaque(Some(self.block(Kind::ReasoningField)), Protocol::OpenAiChat.dialect(), &field.block());
            }
        }
        if let Some(details) = delta.get("reasoning_details").and_then(Value::as_array) {
            self.reasoning_details.add(details);
        }
        if let Some(content) = text("content") {
            out.text(self.block(Kind::Content), content);
        }
        known &= delta.get("content").is_none_or(|content| content.is_null() || content.is_string());
        if let Some(refusal) = text("refusal") {
            self.refused = true;
            out.text(self.block(Kind::Refusal), refusal);
        }
        for fragment in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            known &= self.tool_call(fragment, out);
        }
        known
    }

    /// `false` if it holds something that is not known.
    fn tool_call(&mut self, fragment: &Value, out: &mut Deltas) -> bool {
        let text = |path: &str| fragment.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let input = match fragment.pointer("/function/arguments") {
            // Meant to be a string, but an object is understood.
            Some(Value::Object(input)) => Value::Object(input.clone()).to_string(),
            _ => text("/function/arguments").to_owned(),
        };
        let number = match self.calls.place(fragment) {
            Place::New(number) => {
                let block = self.block(Kind::Call(number));
                out.tool_call(block, &self.calls.id(number), text("/function/name"), &input);
                number
            }
            Place::Known(number) => {
                out.tool_input(self.block(Kind::Call(number)), &input);
                number
            }
        };
        // Google's proof of the thinking before a call; it wants it back with the call.
        if let Some(extra) = fragment.get("extra_content").filter(|extra| extra.is_object()) {
            let extra = serde_json::json!({ "call": number, "extra_content": extra }).to_string();
            out.opaque(Some(self.block(Kind::CallExtra(number))), Protocol::OpenAiChat.dialect(), &extra);
        }
        let function = fragment.get("function").and_then(Value::as_object);
        let names = ["index", "id", "type", "function", "extra_content"];
        fragment.as_object().is_some_and(|fragment| all_known(fragment, &names))
            && function.is_none_or(|function| all_known(function, &["name", "arguments"]))
    }

    fn block(&mut self, kind: Kind) -> u32 {
        let at = self.blocks.iter().position(|known| *known == kind).unwrap_or_else(|| {
            self.blocks.push(kind);
            self.blocks.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Several servers say `stop` after tool calls, so what was received decides.
    fn stop_reason(&self) -> StopReason {
        match self.finish_reason.as_deref() {
            Some("length") => StopReason::MaxTokens,
            Some("content_filter") => StopReason::Refusal,
            _ if !self.calls.is_empty() => StopReason::ToolUse,
            _ if self.refused => StopReason::Refusal,
            _ => StopReason::EndOfTurn,
        }
    }
}

fn all_known(object: &Map<String, Value>, names: &[&str]) -> bool {
    object.iter().all(|(name, value)| value.is_null() || names.contains(&name.as_str()))
}
