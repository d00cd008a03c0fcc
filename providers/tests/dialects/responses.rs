//! The Responses API.

use crate::{decode, finished, input, text};
use docket_domain::{failure::FailureClass, model_call::ModelCallEvent, usage::StopReason};
use docket_providers::Protocol;
use serde_json::{Value, json};

fn responses(frames: &[Value]) -> Vec<ModelCallEvent> {
    decode(Protocol::OpenAiResponses, frames)
}

fn item(kind: &str, index: u64, item: Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item})
}

fn ended(kind: &str, response: Value) -> Value {
    json!({"type": format!("response.{kind}"), "response": response})
}

#[test]
fn what_never_streamed_comes_with_the_whole() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "x", "arguments": "{\"a\":1}", "status": "completed"});
    let said = json!({"type": "message", "content": [{"type": "output_text", "text": "Hello"}]});
    let events = responses(&[item("done", 0, said), item("done", 1, call), ended("completed", json!({"output": []}))]);
    let want = [text(0, 0, "Hello"), input(1, 1, "{\"a\":1}", Some(("c", "x"))), finished(StopReason::ToolUse)];
    assert_eq!(events, want, "a server without deltas");
}

#[test]
fn errors_come_in_two_shapes_and_in_the_terminal() {
    for (frame, class) in [
        (json!({"type": "error", "code": "server_error", "message": "x", "param": null}), FailureClass::Provider),
        (json!({"type": "error", "error": {"type": "rate_limit_exceeded", "message": "x"}}), FailureClass::RateLimit),
        (ended("failed", json!({"error": {"code": "rate_limit_exceeded", "message": "x"}})), FailureClass::RateLimit),
        (ended("failed", json!({"error": {"code": "bio_policy", "message": "x"}})), FailureClass::ContentFilter),
        (json!({"error": {"message": "from a proxy", "code": "invalid_api_key"}}), FailureClass::Auth),
    ] {
        let events = responses(std::slice::from_ref(&frame));
        assert!(
            matches!(&events[..], [ModelCallEvent::Failed { failure, .. }] if failure.class == class),
            "{frame}: {events:?}"
        );
    }
}

#[test]
fn a_failed_answer_reports_what_it_used_before_it_fails() {
    let error = json!({"error": {"code": "server_error", "message": "x"}, "usage": {"input_tokens": 9, "output_tokens": 2}});
    let events = responses(&[ended("failed", error)]);
    assert!(matches!(&events[0], ModelCallEvent::UsageReported { usage } if (usage.input, usage.output) == (Some(9), Some(2))));
    assert!(matches!(&events[1], ModelCallEvent::Failed { .. }));
}

#[test]
fn an_answer_that_was_filtered_is_a_refusal() {
    let events = responses(&[ended("incomplete", json!({"incomplete_details": {"reason": "content_filter"}}))]);
    assert_eq!(events, [finished(StopReason::Refusal)]);
}

#[test]
fn unknown_events_and_fragments_of_calls_that_never_began_are_kept() {
    let stray = json!({"type": "response.function_call_arguments.delta", "output_index": 7, "delta": "{}"});
    let events = responses(&[json!({"type": "response.telepathy.delta", "strength": 3}), stray, ended("completed", json!({}))]);
    for (event, word) in events.iter().zip(["telepathy", "function_call_arguments"]) {
        assert!(matches!(event, ModelCallEvent::OpaqueReceived { block: None, data, .. } if data.contains(word)), "{event:?}");
    }
    assert_eq!(events[2..], [finished(StopReason::EndOfTurn)]);
}
