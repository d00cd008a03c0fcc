//! From the responses that Gemini streams to common events.

use super::{
    partial_args::PartialArgs,
    signature::{Of, Signature},
    usage,
};
use crate::{deltas::Deltas, failure::ErrorBody, protocol::Protocol, sse::SseFrame};
use docket_domain::{
    failure::{Failure, FailureClass},
    usage::StopReason,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// Fields of a response that say nothing about the conversation; the raw response keeps them.
const RESPONSE_FIELDS: &[&str] = &[
    "candidates",
    "usageMetadata",
    "modelVersion",
    "responseId",
    "createTime",
    "modelStatus",
    "automaticFunctionCallingHistory",
];
/// The same of a candidate.
const CANDIDATE_FIELDS: &[&str] = &["content", "finishReason", "index", "safetyRatings", "avgLogprobs", "tokenCount"];

/// What kind of block the last part went on with. The wire has no blocks: one begins when the kind changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

/// The state of one answer.
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    blocks: u32,
    open: Option<(Kind, u32)>,
    calls: u32,
    /// The call whose arguments are being streamed.
    streamed: Option<(u32, PartialArgs)>,
    finish_reason: Option<String>,
    finish_message: String,
}

/// The parts of a response, exact.
#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    candidates: Vec<Candidate<'a>>,
}

#[derive(Deserialize)]
struct Candidate<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    #[serde(rename = "thoughtSignature")]
    signature: Option<String>,
    #[serde(borrow, rename = "functionCall")]
    call: Option<Call<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(default)]
    name: String,
    #[serde(default)]
    id: String,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(default)]
    partial_args: Vec<Value>,
    #[serde(default)]
    will_continue: bool,
}

impl Interpreter {
    pub(crate) fn frame(&mut self, frame: &SseFrame, out: &mut Deltas) {
        let data = frame.data.trim();
        if data.is_empty() {
            return;
        }
        let Ok(document) = serde_json::from_str::<Value>(data) else {
            return out.failed(Failure::new(FailureClass::Truncated, "the answer holds a malformed or cut response"));
        };
        if let Some(error) = ErrorBody::find(&document) {
            return out.failed(error.failure(None));
        }
        let mut known = known(&document, RESPONSE_FIELDS);
        match serde_json::from_str::<Response<'_>>(data) {
            Ok(response) => {
                for candidate in &response.candidates {
                    // We ask for one; another would be a second answer.
                    known &= candidate.index == 0;
                    let parts = candidate.content.iter().flat_map(|content| &content.parts).filter(|_| candidate.index == 0);
                    for part in parts {
                        known &= self.part(part, out);
                    }
                }
            }
            Err(_) => known = false,
        }
        for candidate in document["candidates"].as_array().into_iter().flatten() {
            known &= self::known(candidate, CANDIDATE_FIELDS);
            if let Some(reason) = candidate["finishReason"].as_str() {
                self.finish_reason = Some(reason.to_owned());
                self.finish_message = candidate["finishMessage"].as_str().unwrap_or_default().to_owned();
            }
        }
        out.usage(usage::counts(&document["usageMetadata"]));
        if !known {
            out.opaque(None, Protocol::Gemini.dialect(), data);
        }
        if let Some(reason) = document.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
            let message = format!("the prompt was blocked ({reason})");
            out.failed(Failure::new(FailureClass::ContentFilter, message));
        }
    }

    /// The connection ended, which is the only end that there is: a finish reason can come twice.
    pub(crate) fn end(&mut self, out: &mut Deltas) {
        let Some(reason) = self.finish_reason.take() else { return };
        self.close_streamed(out);
        let failed = |class| Failure::new(class, format!("{} ({reason})", self.finish_message).trim());
        match reason.as_str() {
            "MAX_TOKENS" => out.finished(StopReason::MaxTokens),
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "MODEL_ARMOR"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => out.finished(StopReason::Refusal),
            // The model wrote something that makes no sense; another try may.
            "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" | "OTHER" => {
                out.failed(failed(FailureClass::Provider));
            }
            "MISSING_THOUGHT_SIGNATURE" => out.failed(failed(FailureClass::Configuration)),
            "CONTINUATION" => out.finished(StopReason::Pause),
            _ if self.calls > 0 => out.finished(StopReason::ToolUse),
            _ => out.finished(StopReason::EndOfTurn),
        }
    }

    /// `false` if it holds something that is not known beside what was taken.
    fn part(&mut self, raw: &RawValue, out: &mut Deltas) -> bool {
        let fields = serde_json::from_str::<Map<String, Value>>(raw.get()).unwrap_or_default();
        let only = |names: &[&str]| fields.iter().all(|(name, value)| value.is_null() || names.contains(&name.as_str()));
        match serde_json::from_str::<Part<'_>>(raw.get()) {
            Ok(Part { call: Some(call), signature, .. }) => {
                self.call(&call, raw, out);
                self.signed(signature, Of::FunctionCall, out);
                only(&["functionCall", "thoughtSignature"])
            }
            Ok(Part { text: Some(text), thought, signature, call: None }) if !(text.is_empty() && signature.is_some()) => {
                self.text(&text, thought, signature, out);
                only(&["text", "thought", "thoughtSignature"])
            }
            // A signature on its own, code that Gemini ran, an image, whatever comes next.
            _ => {
                let block = self.next_block();
                out.opaque(Some(block), Protocol::Gemini.dialect(), raw.get());
                true
            }
        }
    }

    fn text(&mut self, text: &str, thought: bool, signature: Option<String>, out: &mut Deltas) {
        if text.is_empty() {
            return;
        }
        // A part with a signature goes back as it came, neither longer nor shorter.
        if signature.is_some() {
            self.open = None;
        }
        if thought {
            let block = self.block(Kind::Thought);
            out.reasoning(block, text);
            if let Some(signature) = signature {
                out.signature(block, &signature);
                self.open = None;
            }
        } else {
            let block = self.block(Kind::Text);
            out.text(block, text);
            self.signed(signature, Of::Text, out);
        }
    }

    fn call(&mut self, call: &Call<'_>, raw: &RawValue, out: &mut Deltas) {
        self.open = None;
        if let Some((_, args)) = self.streamed.as_mut().filter(|_| call.name.is_empty()) {
            let mut understood = true;
            for entry in &call.partial_args {
                understood &= args.add(entry).is_some();
            }
            // The values make up the arguments; one that is not understood is kept at least.
            if !call.partial_args.is_empty() || !understood {
                out.opaque(None, Protocol::Gemini.dialect(), raw.get());
            } else if !call.will_continue {
                self.close_streamed(out);
            }
            return;
        }
        self.close_streamed(out);
        let block = self.next_block();
        // Older models give their calls no id.
        let id = if call.id.is_empty() { format!("call_{}", self.calls) } else { call.id.clone() };
        self.calls += 1;
        let input = call.args.map(RawValue::get).unwrap_or_default();
        out.tool_call(block, &id, &call.name, input);
        if call.will_continue {
            self.streamed = Some((block, PartialArgs::default()));
        }
    }

    fn close_streamed(&mut self, out: &mut Deltas) {
        if let Some((block, args)) = self.streamed.take() {
            out.tool_input(block, &args.text());
        }
    }

    /// Keeps the signature of the part before.
    fn signed(&mut self, signature: Option<String>, of: Of, out: &mut Deltas) {
        if let Some(thought_signature) = signature {
            let block = self.next_block();
            let signature = serde_json::to_string(&Signature { of, thought_signature }).unwrap_or_default();
            out.opaque(Some(block), Protocol::Gemini.dialect(), &signature);
        }
    }

    /// The block that goes on with this kind of text.
    fn block(&mut self, kind: Kind) -> u32 {
        match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                let block = self.next_block();
                self.open = Some((kind, block));
                block
            }
        }
    }

    fn next_block(&mut self) -> u32 {
        self.open = None;
        self.blocks += 1;
        self.blocks - 1
    }
}

fn known(object: &Value, names: &[&str]) -> bool {
    let fields = object.as_object();
    fields.is_some_and(|fields| fields.iter().all(|(name, value)| value.is_null() || names.contains(&name.as_str())))
}
