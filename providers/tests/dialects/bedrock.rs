//! Bedrock's frames.

use crate::finished;
use crc::{CRC_32_ISO_HDLC, Crc};
use docket_domain::{
    failure::FailureClass,
    model_call::ModelCallEvent,
    usage::{StopReason, Usage},
};
use docket_providers::{Decoder, Limits, Protocol};
use serde_json::{Value, json};

/// A frame with text headers.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(u8::try_from(name.len()).unwrap());
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(7);
        encoded.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + encoded.len() + payload.len()).unwrap();
    let mut out = [total.to_be_bytes(), u32::try_from(encoded.len()).unwrap().to_be_bytes()].concat();
    out.extend(crc.checksum(&out).to_be_bytes());
    out.extend(encoded);
    out.extend_from_slice(payload);
    out.extend(crc.checksum(&out).to_be_bytes());
    out
}

fn event(name: &str, payload: &Value) -> Vec<u8> {
    frame(&[(":message-type", "event"), (":event-type", name)], payload.to_string().as_bytes())
}

fn decode(frames: &[Vec<u8>]) -> Vec<ModelCallEvent> {
    let mut decoder = Decoder::new(Protocol::BedrockConverse, &Limits::default());
    frames.iter().for_each(|frame| decoder.push(frame));
    let mut events: Vec<_> = std::iter::from_fn(|| decoder.next_frame()).flatten().collect();
    events.extend(decoder.end().into_iter().flatten());
    events
}

fn failure(events: &[ModelCallEvent]) -> (FailureClass, &str) {
    match events.last() {
        Some(ModelCallEvent::Failed { failure, .. }) => (failure.class, &failure.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_exception_has_its_class() {
    for (name, payload, class) in [
        ("internalServerException", json!({"message": "x"}), FailureClass::Provider),
        ("modelStreamErrorException", json!({"message": "x", "originalStatusCode": 424}), FailureClass::Provider),
        ("validationException", json!({"message": "x"}), FailureClass::Configuration),
        ("validationException", json!({"message": "Input is too long for requested model."}), FailureClass::ContextOverflow),
        ("throttlingException", json!({"message": "x"}), FailureClass::RateLimit),
        ("serviceUnavailableException", json!({"message": "x"}), FailureClass::Overloaded),
    ] {
        let headers = [(":message-type", "exception"), (":exception-type", name)];
        let events = decode(&[frame(&headers, payload.to_string().as_bytes())]);
        assert_eq!(failure(&events).0, class, "{name}");
    }
    let headers = [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "it broke")];
    assert_eq!(failure(&decode(&[frame(&headers, b"")])), (FailureClass::Provider, "it broke (InternalFailure)"));
}

#[test]
fn every_reason_to_stop_has_its_meaning() {
    for (reason, want) in [
        ("stop_sequence", Ok(StopReason::EndOfTurn)),
        ("content_filtered", Ok(StopReason::Refusal)),
        ("something_new", Ok(StopReason::EndOfTurn)),
        ("malformed_tool_use", Err(FailureClass::Provider)),
        ("malformed_model_output", Err(FailureClass::Provider)),
        ("model_context_window_exceeded", Err(FailureClass::ContextOverflow)),
    ] {
        let events = decode(&[event("messageStop", &json!({"stopReason": reason}))]);
        let got = match &events[..] {
            [ModelCallEvent::Finished { stop_reason, .. }] => Ok(*stop_reason),
            other => Err(failure(other).0),
        };
        assert_eq!(got, want, "{reason}");
    }
}

#[test]
fn the_cache_is_counted_apart_and_the_end_comes_with_the_counts() {
    let usage = json!({"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 5});
    let events = decode(&[
        event("messageStop", &json!({"stopReason": "end_turn", "additionalModelResponseFields": {"x": 1}})),
        event("metadata", &json!({"usage": usage, "metrics": {"latencyMs": 1}, "p": "abc"})),
    ]);
    assert!(matches!(&events[0], ModelCallEvent::OpaqueReceived { block: None, data, .. } if data.contains("\"messageStop\"")));
    let usage = Usage { input: Some(3), cache_read: Some(7), cache_write: Some(5), output: Some(2), reasoning: None };
    assert_eq!(events[1..], [ModelCallEvent::UsageReported { usage }, finished(StopReason::EndOfTurn)]);
}

#[test]
fn redacted_reasoning_in_pieces_becomes_one() {
    let piece = |data: &str| {
        let delta = json!({"reasoningContent": {"redactedContent": data}});
        event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta}))
    };
    // `abcd` in two pieces, each padded on its own.
    let events = decode(&[
        piece("YQ=="),
        piece("YmNk"),
        event("contentBlockStop", &json!({"contentBlockIndex": 0})),
        event("telepathy", &json!({"strength": 3})),
        event("messageStop", &json!({"stopReason": "end_turn"})),
    ]);
    let whole = events.iter().find_map(|event| match event {
        ModelCallEvent::OpaqueReceived { block: Some(0), data, .. } => Some(data.as_str()),
        _ => None,
    });
    assert_eq!(whole, Some(r#"{"reasoningContent":{"redactedContent":"YWJjZA=="}}"#));
    let kept =
        events.iter().any(|event| matches!(event, ModelCallEvent::OpaqueReceived { data, .. } if data.contains("telepathy")));
    assert!(kept, "an event that is not known is kept with its name");
}
