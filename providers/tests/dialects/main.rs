//! Shapes that are documented, or known of one server or another, but are in no recording.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bedrock;
mod gemini;
mod responses;

use docket_domain::{
    failure::FailureClass,
    model_call::{ModelCallEvent, StreamedCall},
    usage::{StopReason, Usage},
};
use docket_providers::{Decoder, Limits, Protocol};
use serde_json::{Value, json};

fn decode(protocol: Protocol, frames: &[Value]) -> Vec<ModelCallEvent> {
    let mut decoder = Decoder::new(protocol, &Limits::default());
    frames.iter().for_each(|frame| decoder.push(format!("data: {frame}\n\n").as_bytes()));
    let mut events: Vec<_> = std::iter::from_fn(|| decoder.next_frame()).flatten().collect();
    events.extend(decoder.end().into_iter().flatten());
    events
}

fn chat(frames: &[Value]) -> Vec<ModelCallEvent> {
    decode(Protocol::OpenAiChat, frames)
}

fn anthropic(frames: &[Value]) -> Vec<ModelCallEvent> {
    decode(Protocol::AnthropicMessages, frames)
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn fragment(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn stop(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn text(index: u64, block: u32, text: &str) -> ModelCallEvent {
    ModelCallEvent::TextStreamed { index, block, text: text.to_owned() }
}

fn input(index: u64, block: u32, text: &str, call: Option<(&str, &str)>) -> ModelCallEvent {
    let call = call.map(|(id, name)| StreamedCall { provider_id: id.to_owned(), name: name.to_owned() });
    ModelCallEvent::ToolInputStreamed { index, block, text: text.to_owned(), call }
}

fn finished(stop_reason: StopReason) -> ModelCallEvent {
    ModelCallEvent::Finished { stop_reason, response_sha256: None }
}

#[test]
fn chat_calls_that_share_index_0_or_repeat_themselves() {
    let ollama = chat(&[
        delta(json!({"tool_calls": [fragment(0, Some("a"), Some("x"), "{}"), fragment(0, Some("b"), Some("y"), "{\"k\":1}")]})),
        stop("stop"),
    ]);
    let want = [input(0, 0, "{}", Some(("a", "x"))), input(1, 1, "{\"k\":1}", Some(("b", "y"))), finished(StopReason::ToolUse)];
    assert_eq!(ollama, want, "and the end of the connection is the end, after a finish reason");
    let repeated = chat(&[
        delta(json!({"tool_calls": [fragment(0, Some("a"), Some("x"), "")], "function_call": {"name": "x", "arguments": ""}})),
        delta(json!({"tool_calls": [fragment(0, Some("a"), Some("x"), "{")]})),
        delta(json!({"tool_calls": [fragment(0, Some("a"), Some("x"), "}")]})),
        stop("tool_calls"),
    ]);
    let want =
        [input(0, 0, "", Some(("a", "x"))), input(1, 0, "{", None), input(2, 0, "}", None), finished(StopReason::ToolUse)];
    assert_eq!(repeated, want);
    let nameless = chat(&[delta(json!({"tool_calls": [{"function": {"name": "x", "arguments": {"k": 1}}}]})), stop("stop")]);
    assert_eq!(nameless[0], input(0, 0, "{\"k\":1}", Some(("call_0", "x"))), "no id, no index, and arguments as an object");
}

#[test]
fn chat_reasoning_under_two_names_and_unknown_things() {
    let events = chat(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning": "hm", "reasoning_content": "hm"})),
        delta(json!({"content": "a", "audio": {"id": "x"}})),
        delta(json!({"content": [{"type": "text", "text": "b"}]})),
        json!({"choices": [{"index": 1, "delta": {"content": "other"}}]}),
        json!({"moderation": {"flagged": false}, "choices": []}),
        stop("content_filter"),
    ]);
    assert!(matches!(&events[0], ModelCallEvent::ReasoningStreamed { index: 0, block: 0, text, .. } if text == "hm"));
    let field = r#"{"reasoning_field":"reasoning_content"}"#;
    assert!(matches!(&events[1], ModelCallEvent::OpaqueReceived { index: 1, block: Some(1), data, .. } if data == field));
    assert_eq!(events[2], text(2, 2, "a"));
    for (n, word) in ["audio", "\"b\"", "other", "moderation"].into_iter().enumerate() {
        let ModelCallEvent::OpaqueReceived { index, block: None, dialect, data } = &events[n + 3] else { panic!("{events:?}") };
        assert_eq!((*index, dialect.as_str()), (n as u64 + 3, "openai-chat"));
        assert!(data.contains(word), "{data}");
    }
    assert_eq!(events[7..], [finished(StopReason::Refusal)]);
}

#[test]
fn chat_blocks_of_reasoning_and_proofs_of_calls_are_kept() {
    let piece = |text: &str, signature: Option<&str>| json!({"type": "reasoning.text", "index": 0, "text": text, "signature": signature, "format": "anthropic-claude-v1"});
    let mut call = fragment(0, Some("a"), Some("x"), "{}");
    call["extra_content"] = json!({"google": {"thought_signature": "proof"}});
    let events = chat(&[
        delta(json!({"reasoning": "h", "reasoning_details": [piece("h", None)]})),
        delta(json!({"reasoning": "m", "reasoning_details": [piece("m", Some("sig"))]})),
        delta(json!({"tool_calls": [call]})),
        stop("tool_calls"),
    ]);
    let whole = events.iter().filter_map(|event| match event {
        ModelCallEvent::OpaqueReceived { block: Some(_), data, .. } => Some(serde_json::from_str::<Value>(data).unwrap()),
        _ => None,
    });
    let want = [
        json!({"reasoning_field": "reasoning"}),
        json!({"call": 0, "extra_content": {"google": {"thought_signature": "proof"}}}),
        json!({"reasoning_details": [piece("hm", Some("sig"))]}),
    ];
    assert_eq!(whole.collect::<Vec<_>>(), want);
    assert_eq!(events.last(), Some(&finished(StopReason::ToolUse)));
}

#[test]
fn chat_usage_and_errors_of_other_servers() {
    let usage = |frame: Value| match &chat(&[frame, stop("stop")])[0] {
        ModelCallEvent::UsageReported { usage } => *usage,
        other => panic!("{other:?}"),
    };
    let groq = usage(json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}));
    assert_eq!(groq, Usage { input: Some(5), output: Some(2), ..Usage::default() });
    let deepseek = usage(json!({"choices": [], "usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}}));
    assert_eq!(deepseek, Usage { input: Some(5), cache_read: Some(4), ..Usage::default() });
    let details = json!({"cached_tokens": 3, "cache_write_tokens": 2});
    let written = usage(json!({"choices": [], "usage": {"prompt_tokens": 9, "prompt_tokens_details": details}}));
    assert_eq!(written, Usage { input: Some(4), cache_read: Some(3), cache_write: Some(2), ..Usage::default() });
    for (frame, class) in [
        (
            json!({"object": "error", "message": "maximum context length is 5 tokens", "code": 400}),
            FailureClass::ContextOverflow,
        ),
        (json!({"error": "overloaded"}), FailureClass::Overloaded),
        (json!({"error": {"code": "429", "message": "slow down"}}), FailureClass::RateLimit),
        (json!({"error": {"code": 503, "message": "no capacity"}}), FailureClass::Overloaded),
    ] {
        let events = chat(&[delta(json!({"content": "x"})), frame.clone(), stop("stop")]);
        assert!(
            matches!(&events[1..], [ModelCallEvent::Failed { failure, .. }] if failure.class == class),
            "{frame}: {events:?}"
        );
    }
}

fn start(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn block_delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn ended(reason: &str) -> [Value; 2] {
    [json!({"type": "message_delta", "delta": {"stop_reason": reason}}), json!({"type": "message_stop"})]
}

#[test]
fn anthropic_blocks_go_by_index() {
    let mut frames = vec![
        start(5, json!({"type": "text", "text": "a"})),
        start(2, json!({"type": "tool_use", "id": "t", "name": "x", "input": {"whole": 1}})),
        block_delta(5, json!({"type": "text_delta", "text": "b"})),
        block_delta(9, json!({"type": "text_delta", "text": "nowhere"})),
    ];
    frames.extend(ended("tool_use"));
    let events = anthropic(&frames);
    assert_eq!(events[..3], [text(0, 0, "a"), input(1, 1, "{\"whole\":1}", Some(("t", "x"))), text(2, 0, "b")]);
    assert!(matches!(&events[3], ModelCallEvent::OpaqueReceived { block: None, data, .. } if data.contains("nowhere")));
    assert_eq!(events[4..], [finished(StopReason::ToolUse)]);
}

#[test]
fn anthropic_unknown_blocks_are_put_together() {
    let mut frames = vec![
        json!({"type": "telepathy", "strength": 3}),
        start(0, json!({"type": "hologram", "title": "t"})),
        block_delta(0, json!({"type": "hologram_delta", "rays": "ab"})),
        block_delta(0, json!({"type": "hologram_delta", "rays": "cd", "depth": 2})),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    frames.extend(ended("end_turn"));
    let events = anthropic(&frames);
    let whole: Vec<Value> = events
        .iter()
        .filter_map(|event| match event {
            ModelCallEvent::OpaqueReceived { block: Some(0), data, .. } => Some(serde_json::from_str(data).unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(whole, [json!({"type": "hologram", "title": "t", "rays": "abcd", "depth": 2})]);
    assert_eq!(events.len(), 6, "the event, the start, two deltas, the whole, the end");
}

#[test]
fn anthropic_ends() {
    for (reason, want) in [
        ("pause_turn", Ok(StopReason::Pause)),
        ("refusal", Ok(StopReason::Refusal)),
        ("something_new", Ok(StopReason::EndOfTurn)),
        ("model_context_window_exceeded", Err(FailureClass::ContextOverflow)),
    ] {
        let events = anthropic(&ended(reason));
        let got = match &events[..] {
            [ModelCallEvent::Finished { stop_reason, .. }] => Ok(*stop_reason),
            [ModelCallEvent::Failed { failure, .. }] => Err(failure.class),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, want, "{reason}");
    }
    let events = anthropic(&[json!({"error": {"type": "authentication_error", "message": "from a proxy"}})]);
    assert!(matches!(&events[..], [ModelCallEvent::Failed { failure, .. }] if failure.class == FailureClass::Auth));
}
