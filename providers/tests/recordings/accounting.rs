//! Nothing that a provider said is dropped: each piece of a recording is in an event, or is known to say nothing.

use crate::{
    decoding::whole,
    recording::{answers, documents, recordings},
};
use docket_domain::model_call::event::ModelCallEvent;
use docket_providers::Protocol;
use serde_json::Value;

/// One delta that the provider sent is one event: counted here straight from the frames.
#[test]
fn one_event_per_delta() {
    for recording in recordings() {
        let (mut texts, mut thoughts) = (0, 0);
        for document in documents(&recording) {
            let said = |at: &str| document.pointer(at).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let any = |paths: &[&str]| usize::from(paths.iter().any(|path| said(path)));
            match recording.protocol {
                Protocol::OpenAiResponses => {
                    let kind = document["type"].as_str().unwrap();
                    let delta = usize::from(said("/delta"));
                    texts += delta * usize::from(matches!(kind, "response.output_text.delta" | "response.refusal.delta"));
                    thoughts += delta * usize::from(kind.starts_with("response.reasoning_") && kind.ends_with(".delta"));
                }
                Protocol::Gemini => {
                    let parts = document.pointer("/candidates/0/content/parts").and_then(Value::as_array);
                    for part in parts.into_iter().flatten() {
                        let said = usize::from(part["text"].as_str().is_some_and(|text| !text.is_empty()));
                        *if part["thought"] == true { &mut thoughts } else { &mut texts } += said;
                    }
                }
                Protocol::BedrockConverse => {
                    texts += any(&["/contentBlockDelta/delta/text"]);
                    thoughts += any(&[
                        "/contentBlockDelta/delta/reasoningContent/text",
                        "/contentBlockDelta/delta/reasoningContent/signature",
                    ]);
                }
                _ => {
                    texts += any(&["/delta/text", "/choices/0/delta/content", "/choices/0/delta/refusal"]);
                    thoughts += any(&[
                        "/delta/thinking",
                        "/delta/signature",
                        "/choices/0/delta/reasoning",
                        "/choices/0/delta/reasoning_content",
                    ]);
                }
            }
        }
        let events: Vec<_> = answers(&recording).iter().flat_map(whole).collect();
        let count = |is: fn(&ModelCallEvent) -> bool| events.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, ModelCallEvent::TextStreamed { .. })), texts, "{}", recording.name);
        assert_eq!(count(|event| matches!(event, ModelCallEvent::ReasoningStreamed { .. })), thoughts, "{}", recording.name);
    }
}

/// Fields that say nothing about the conversation, by the last name on their path: ids and indexes of the wire, the kinds of
/// events and blocks (which the kind of our event says), padding, times, counts (which are in the usage), the provider's
/// housekeeping. What is neither here nor in an event would be lost.
const HOUSEKEEPING: &[&str] = &[
    // Everywhere.
    "type",
    "index",
    "id",
    "object",
    "model",
    "role",
    "created",
    "usage",
    "name",
    // Anthropic.
    "stop_reason",
    "stop_sequence",
    "container",
    "expires_at",
    "service_tier",
    "diagnostics",
    // Responses: the response object repeats the request, and `.done` events repeat what was streamed.
    "response",
    "item_id",
    "sequence_number",
    "output_index",
    "content_index",
    "summary_index",
    "obfuscation",
    "part",
    "status",
    "logprobs",
    // Chat Completions.
    "system_fingerprint",
    "finish_reason",
    "native_finish_reason",
    "provider",
    "bytes",
    "timings",
    "x_groq",
    "channel",
    "content_filter_results",
    "prompt_filter_results",
    // Gemini.
    "usageMetadata",
    "modelVersion",
    "responseId",
    "createTime",
    "finishReason",
    "safetyRatings",
    "avgLogprobs",
    // Bedrock.
    "p",
    "contentBlockIndex",
    "stopReason",
    "metrics",
];

/// Every text that a provider sent outside its housekeeping is in an event.
#[test]
fn nothing_that_was_said_is_dropped() {
    let mut texts = 0;
    for recording in recordings() {
        let events: Vec<_> = answers(&recording).iter().flat_map(whole).collect();
        let mut said = String::new();
        for event in &events {
            match event {
                ModelCallEvent::TextStreamed { text, .. } => said += text,
                ModelCallEvent::ReasoningStreamed { text, signature, .. } => {
                    said += text;
                    said += signature.as_deref().unwrap_or_default();
                }
                ModelCallEvent::ToolInputStreamed { text, call, .. } => {
                    said += text;
                    if let Some(call) = call {
                        said += &format!("{} {}", call.provider_id, call.name);
                    }
                }
                ModelCallEvent::OpaqueReceived { data, .. } => {
                    strings(&serde_json::from_str(data).unwrap(), &mut |_, text| said += &format!("{text} "));
                }
                ModelCallEvent::Failed { failure, .. } => said += &failure.message,
                _ => {}
            }
            said += "\n";
        }
        // Deltas are joined by nothing where whole texts are repeated after them.
        let joined: String = said.replace('\n', "");
        let failed = matches!(events.last(), Some(ModelCallEvent::Failed { .. }));
        for document in documents(&recording) {
            // Reasoning is announced with an encrypted text that is not yet what it will be.
            if document["type"] == "response.output_item.added" && document["item"]["type"] == "reasoning" {
                continue;
            }
            strings(&document, &mut |name, text| {
                if text.is_empty() {
                    return;
                }
                texts += 1;
                let compact = text.replace('\n', "");
                let input = serde_json::from_str::<Value>(text).is_ok_and(|input| said.contains(&input.to_string()));
                let kept = said.contains(text) || joined.contains(&compact) || input;
                // An error's parts are in words of our own, and ends the stream.
                assert!(kept || failed, "{}: {name}: {text}", recording.name);
            });
        }
    }
    assert!(texts > 3_000, "{texts} texts were looked for");
}

/// Calls `each` with every text in a document that is not under a field of housekeeping, and that field's name.
fn strings(value: &Value, each: &mut impl FnMut(&str, &str)) {
    walk("", value, each);
}

fn walk(name: &str, value: &Value, each: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => each(name, text),
        Value::Array(list) => list.iter().for_each(|value| walk(name, value, each)),
        Value::Object(fields) => {
            fields
                .iter()
                .filter(|(name, _)| !HOUSEKEEPING.contains(&name.as_str()))
                .for_each(|(name, value)| walk(name, value, each));
        }
        _ => {}
    }
}
