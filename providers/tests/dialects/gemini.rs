//! Gemini.

use crate::{decode, finished, input, text};
use docket_domain::{
    failure::FailureClass,
    model_call::ModelCallEvent,
    usage::{StopReason, Usage},
};
use docket_providers::Protocol;
use serde_json::{Value, json};

fn gemini(frames: &[Value]) -> Vec<ModelCallEvent> {
    decode(Protocol::Gemini, frames)
}

fn parts(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]})
}

fn stop(reason: &str) -> Value {
    json!({"candidates": [{"finishReason": reason, "finishMessage": "why"}]})
}

#[test]
fn a_blocked_prompt_is_a_failure_and_a_blocked_answer_a_refusal() {
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}});
    let events = gemini(&[blocked]);
    assert!(matches!(&events[0], ModelCallEvent::UsageReported { usage } if usage.input == Some(4)));
    let Some(ModelCallEvent::Failed { failure, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (FailureClass::ContentFilter, "the prompt was blocked (PROHIBITED_CONTENT)")
    );
    let events = gemini(&[parts(json!([{"text": "I wo"}])), stop("SAFETY")]);
    assert_eq!((&events[0], events.last()), (&text(0, 0, "I wo"), Some(&finished(StopReason::Refusal))));
}

#[test]
fn every_reason_to_finish_has_its_meaning() {
    for (reason, want) in [
        ("STOP", Ok(StopReason::EndOfTurn)),
        ("MAX_TOKENS", Ok(StopReason::MaxTokens)),
        ("RECITATION", Ok(StopReason::Refusal)),
        ("SPII", Ok(StopReason::Refusal)),
        ("CONTINUATION", Ok(StopReason::Pause)),
        ("SOMETHING_NEW", Ok(StopReason::EndOfTurn)),
        ("MALFORMED_FUNCTION_CALL", Err(FailureClass::Provider)),
        ("UNEXPECTED_TOOL_CALL", Err(FailureClass::Provider)),
        ("MISSING_THOUGHT_SIGNATURE", Err(FailureClass::Configuration)),
    ] {
        let events = gemini(&[stop(reason)]);
        let got = match events.last().unwrap() {
            ModelCallEvent::Finished { stop_reason, .. } => Ok(*stop_reason),
            ModelCallEvent::Failed { failure, .. } => {
                assert_eq!(failure.message, format!("why ({reason})"));
                Err(failure.class)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(got, want, "{reason}");
    }
}

#[test]
fn unknown_things_beside_a_call_do_not_lose_the_call() {
    let call = json!({"functionCall": {"name": "x", "args": {"b": 1, "a": 2.50}}, "mood": "good"});
    let events = gemini(&[parts(json!([call, {"hologram": 1}])), stop("STOP")]);
    assert_eq!(events[0], input(0, 0, r#"{"a":2.5,"b":1}"#, Some(("call_0", "x"))));
    assert!(matches!(&events[1], ModelCallEvent::OpaqueReceived { block: Some(1), data, .. } if data == r#"{"hologram":1}"#));
    assert!(matches!(&events[2], ModelCallEvent::OpaqueReceived { block: None, data, .. } if data.contains("mood")));
    let failed = events.iter().any(|event| matches!(event, ModelCallEvent::OpaqueReceived { block: None, .. }));
    assert!(failed && events.last() == Some(&finished(StopReason::ToolUse)));
}

#[test]
fn what_its_own_tools_read_and_what_the_cache_gave_is_counted() {
    let counts = json!({"promptTokenCount": 10, "cachedContentTokenCount": 6, "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 2, "thoughtsTokenCount": 3});
    let events = gemini(&[json!({"usageMetadata": counts}), stop("STOP")]);
    let usage = Usage { input: Some(9), cache_read: Some(6), cache_write: None, output: Some(5), reasoning: Some(3) };
    assert_eq!(events[0], ModelCallEvent::UsageReported { usage });
}
