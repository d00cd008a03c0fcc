//! Decodes recorded exchanges and compares with what the provider's own SDK made of the same bytes.
//!
//! Deliberate differences from the SDKs:
//!
//! | Recording | SDK | Here |
//! |---|---|---|
//! | `anthropic/spliced-cut-mid-frame` | ends without a word | `Failed`, class `truncated` |
//! | `compat/openrouter-error-in-stream` | text, `length`, and an error | `Failed`: an error beats a finish reason |
//! | `openai-chat/refusal` | a field of its own | text, and stop reason `refusal` |
//! | `anthropic/vercel-tool-search-regex` | reads on over the first terminal | two answers, one after the other in one file: two streams |
//! | server tools, redacted thinking, compactions | typed blocks | opaque, whole, with their block |

#![allow(clippy::unwrap_used, clippy::expect_used)]

use docket_domain::{
    failure::FailureClass,
    model_call::event::ModelCallEvent,
    usage::{StopReason, Usage},
};
use docket_providers::{Decoder, Limits, Protocol};
use proptest::prelude::*;
use serde_json::Value;
use std::{fs, path::PathBuf};

struct Recording {
    name: String,
    protocol: Protocol,
    bytes: Vec<u8>,
    expected: Value,
}

fn recordings() -> Vec<Recording> {
    let mut all = Vec::new();
    for (folder, protocol) in
        [("anthropic", Protocol::AnthropicMessages), ("openai-chat", Protocol::OpenAiChat), ("compat", Protocol::OpenAiChat)]
    {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
        for entry in fs::read_dir(&root).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut bytes = fs::read(&path).unwrap();
            let name = if let Some(name) = file.strip_suffix(".sse") {
                name
            } else if let Some(name) = file.strip_suffix(".chunks.jsonl") {
                let text = String::from_utf8(bytes).unwrap();
                bytes = text.lines().map(|line| format!("data: {line}\n\n")).collect::<String>().into_bytes();
                name
            } else {
                continue;
            };
            let expected = fs::read(root.join(format!("{name}.expected.json"))).unwrap();
            let expected = serde_json::from_slice(&expected).unwrap();
            all.push(Recording { name: format!("{folder}/{name}"), protocol, bytes, expected });
        }
    }
    assert_eq!(all.len(), 26 + 14 + 9, "a recording was lost");
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn decode<'a>(protocol: Protocol, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<ModelCallEvent> {
    let mut decoder = Decoder::new(protocol, &Limits::default());
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next_frame() {
            assert!(!frame.is_empty());
            events.extend(frame);
        }
    }
    events.extend(decoder.end().into_iter().flatten());
    assert_eq!((decoder.next_frame(), decoder.end()), (None, None), "nothing follows the end");
    assert_well_formed(&events);
    events
}

/// What holds for every stream, however spoiled.
fn assert_well_formed(events: &[ModelCallEvent]) {
    let terminals = events.iter().filter(|event| is_terminal(event)).count();
    assert_eq!(terminals, 1, "{events:?}");
    assert!(is_terminal(events.last().unwrap()));
    let mut next = 0;
    let mut begun = std::collections::HashSet::new();
    for event in events {
        match event {
            ModelCallEvent::TextStreamed { index, text, .. } => {
                assert!(!text.is_empty());
                assert_eq!(*index, next);
            }
            ModelCallEvent::ReasoningStreamed { index, text, signature, .. } => {
                assert!(!text.is_empty() || signature.is_some());
                assert_eq!(*index, next);
            }
            ModelCallEvent::ToolInputStreamed { index, block, text, call } => {
                assert_eq!(*index, next);
                assert_eq!(call.is_some(), begun.insert(*block), "{event:?}");
                assert!(call.is_some() || !text.is_empty());
            }
            ModelCallEvent::OpaqueReceived { index, data, .. } => {
                assert!(serde_json::from_str::<Value>(data).is_ok(), "{data}");
                assert_eq!(*index, next);
            }
            _ => continue,
        }
        next += 1;
    }
}

fn is_terminal(event: &ModelCallEvent) -> bool {
    matches!(event, ModelCallEvent::Finished { .. } | ModelCallEvent::Failed { .. })
}

fn whole(recording: &Recording) -> Vec<ModelCallEvent> {
    decode(recording.protocol, [&recording.bytes[..]].into_iter())
}

/// The second answer of the one recording that holds two, or nothing.
fn sequel(recording: &Recording) -> Option<Recording> {
    let start = b"data: {\"type\":\"message_start\"";
    let at = (100..recording.bytes.len()).find(|&at| recording.bytes[at..].starts_with(start))?;
    let (name, expected) = (recording.name.clone(), recording.expected.clone());
    Some(Recording { name, protocol: recording.protocol, bytes: recording.bytes[at..].to_vec(), expected })
}

/// A small generator, so that a failure repeats.
struct Cuts(u64);

impl Cuts {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(97)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

#[derive(Default)]
struct Folded {
    text: String,
    reasoning: String,
    signature: String,
    calls: Vec<(u32, String, String, String)>,
    opaque: Vec<Value>,
    usage: Usage,
    end: Option<Result<StopReason, FailureClass>>,
}

fn fold(events: &[ModelCallEvent]) -> Folded {
    let mut all = Folded::default();
    for event in events {
        match event {
            ModelCallEvent::TextStreamed { text, .. } => all.text += text,
            ModelCallEvent::ReasoningStreamed { text, signature, .. } => {
                all.reasoning += text;
                all.signature += signature.as_deref().unwrap_or_default();
            }
            ModelCallEvent::ToolInputStreamed { block, text, call, .. } => {
                if let Some(call) = call {
                    all.calls.push((*block, call.provider_id.clone(), call.name.clone(), String::new()));
                }
                all.calls.iter_mut().find(|call| call.0 == *block).unwrap().3 += text;
            }
            ModelCallEvent::OpaqueReceived { block: Some(_), data, .. } => all.opaque.push(serde_json::from_str(data).unwrap()),
            ModelCallEvent::UsageReported { usage } => all.usage.supersede(*usage),
            ModelCallEvent::Finished { stop_reason, .. } => all.end = Some(Ok(*stop_reason)),
            ModelCallEvent::Failed { failure, .. } => all.end = Some(Err(failure.class)),
            _ => {}
        }
    }
    all
}

fn expected_end(recording: &Recording) -> Result<StopReason, FailureClass> {
    match recording.name.as_str() {
        "anthropic/spliced-api-error-midstream" | "openai-chat/spliced-server-error-midstream" => Err(FailureClass::Provider),
        "anthropic/spliced-overloaded-first-frame" => Err(FailureClass::Overloaded),
        "anthropic/spliced-cut-mid-frame" => Err(FailureClass::Truncated),
        "compat/groq-error-in-stream" => Err(FailureClass::Provider),
        "compat/openrouter-error-in-stream" => Err(FailureClass::Configuration),
        "openai-chat/refusal" => Ok(StopReason::Refusal),
        name => {
            assert_eq!(recording.expected["complete"], true, "{name}");
            Ok(match recording.expected["stop_reason"].as_str().unwrap() {
                "end_turn" | "stop_sequence" | "stop" => StopReason::EndOfTurn,
                "tool_use" | "tool_calls" => StopReason::ToolUse,
                "max_tokens" | "length" => StopReason::MaxTokens,
                "refusal" => StopReason::Refusal,
                other => panic!("{other}"),
            })
        }
    }
}

fn expected_usage(recording: &Recording) -> Usage {
    let count = |path: &str| recording.expected["usage"].pointer(path).and_then(Value::as_u64);
    if recording.protocol == Protocol::AnthropicMessages {
        return Usage {
            input: count("/input_tokens"),
            cache_read: count("/cache_read_input_tokens"),
            cache_write: count("/cache_creation_input_tokens"),
            output: count("/output_tokens"),
            reasoning: count("/output_tokens_details/thinking_tokens"),
        };
    }
    let cached = count("/prompt_tokens_details/cached_tokens");
    Usage {
        input: count("/prompt_tokens").map(|prompt| prompt - cached.unwrap_or(0)),
        cache_read: cached,
        cache_write: None,
        output: count("/completion_tokens"),
        reasoning: count("/completion_tokens_details/reasoning_tokens"),
    }
}

#[test]
fn recordings_mean_what_the_providers_say() {
    for recording in recordings() {
        let (name, expected) = (&recording.name, &recording.expected);
        let text = |field: &str| expected[field].as_str().unwrap_or_default();
        let list = |field: &str| expected[field].as_array().cloned().unwrap_or_default();
        let mut events = whole(&recording);
        if let Some(second) = sequel(&recording) {
            assert_eq!(fold(&events).end, Some(Ok(StopReason::ToolUse)));
            events.extend(whole(&second));
        }
        let got = fold(&events);
        assert_eq!(got.text, format!("{}{}", text("text"), text("refusal")), "{name}");
        assert_eq!(got.reasoning, text("reasoning"), "{name}");
        let signatures: String =
            list("signatures").iter().map(|entry| entry["signature"].as_str().unwrap().to_owned()).collect();
        assert_eq!(got.signature, signatures, "{name}");
        let calls =
            got.calls.iter().map(|(_, id, name, input)| serde_json::json!({"id": id, "name": name, "arguments": input}));
        assert_eq!(calls.collect::<Vec<_>>(), list("tool_calls"), "{name}");
        assert_eq!(got.end, Some(expected_end(&recording)), "{name}");
        if expected["usage"].is_object() {
            assert_eq!(got.usage, expected_usage(&recording), "{name}");
        }
        let redacted: Vec<Value> =
            got.opaque.iter().filter(|block| block["type"] == "redacted_thinking").map(|block| block["data"].clone()).collect();
        assert_eq!(redacted, list("redacted"), "{name}");
        let server: Vec<&Value> = got.opaque.iter().filter(|block| block["type"] != "redacted_thinking").collect();
        assert_eq!(server.len(), list("server_blocks").len(), "{name}");
        for (block, expected) in server.iter().zip(list("server_blocks")) {
            assert_eq!((&block["type"], &block["name"]), (&expected["type"], &expected["name"]), "{name}");
            if let Ok(input) = serde_json::from_str::<Value>(expected["arguments"].as_str().unwrap()) {
                assert_eq!(block["input"], input, "{name}: the input of a server's tool is whole");
            }
        }
    }
}

/// One delta that the provider sent is one event: counted here straight from the frames.
#[test]
fn one_event_per_delta() {
    for recording in recordings() {
        let text = String::from_utf8(recording.bytes.clone()).unwrap();
        let documents = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data:")?).ok());
        let (mut texts, mut thoughts) = (0, 0);
        for document in documents {
            let said = |at: &str| document.pointer(at).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let any = |paths: &[&str]| usize::from(paths.iter().any(|path| said(path)));
            texts += any(&["/delta/text", "/choices/0/delta/content", "/choices/0/delta/refusal"]);
            thoughts += any(&[
                "/delta/thinking",
                "/delta/signature",
                "/choices/0/delta/reasoning",
                "/choices/0/delta/reasoning_content",
            ]);
        }
        let mut events = whole(&recording);
        events.extend(sequel(&recording).iter().flat_map(whole));
        let count = |is: fn(&ModelCallEvent) -> bool| events.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, ModelCallEvent::TextStreamed { .. })), texts, "{}", recording.name);
        assert_eq!(count(|event| matches!(event, ModelCallEvent::ReasoningStreamed { .. })), thoughts, "{}", recording.name);
    }
}

#[test]
fn the_way_the_bytes_are_cut_does_not_matter() {
    for (seed, recording) in recordings().iter().enumerate() {
        let events = whole(recording);
        for round in 0..4 {
            let mut cuts = Cuts(seed as u64 * 100 + round);
            let pieces = cuts.pieces(&recording.bytes);
            assert_eq!(decode(recording.protocol, pieces.into_iter()), events, "{} round {round}", recording.name);
        }
    }
}

#[test]
fn every_prefix_ends_in_a_terminal_and_says_nothing_else() {
    for recording in recordings() {
        let all = whole(&recording);
        let step = (recording.bytes.len() / 400).max(1);
        for end in (0..recording.bytes.len()).step_by(step) {
            let part = decode(recording.protocol, [&recording.bytes[..end]].into_iter());
            let said = part.len() - 1;
            assert_eq!(part[..said], all[..said], "{} cut at {end}", recording.name);
            if recording.protocol == Protocol::AnthropicMessages && !matches!(part[said], ModelCallEvent::Failed { .. }) {
                assert!(
                    sequel(&recording).is_some() || end >= recording.bytes.len() - 4,
                    "{} cut at {end} counts as complete",
                    recording.name
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_bytes_never_panic(
        which in any::<prop::sample::Index>(),
        spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        seed in any::<u64>(),
    ) {
        thread_local!(static ALL: Vec<Recording> = recordings().into_iter().filter(|r| r.bytes.len() < 9000).collect());
        ALL.with(|all| {
            let recording = which.get(all);
            let mut bytes = recording.bytes.clone();
            for (spot, byte) in &spots {
                let at = spot.index(bytes.len());
                bytes[at] = *byte;
            }
            let events = decode(recording.protocol, [&bytes[..]].into_iter());
            let pieces = Cuts(seed).pieces(&bytes);
            assert_eq!(decode(recording.protocol, pieces.into_iter()), events);
        });
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), text in "(data: ?[\\[{\"a-z:}\\],0-9]{0,20}(\n|\r|\r\n){0,2}){0,12}") {
        for protocol in [Protocol::AnthropicMessages, Protocol::OpenAiChat, Protocol::Scripted] {
            decode(protocol, [&bytes[..], text.as_bytes()].into_iter());
        }
    }
}
