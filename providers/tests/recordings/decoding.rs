//! Decoding, with what holds for every stream.

use crate::recording::Recording;
use docket_domain::{
    failure::FailureClass,
    model_call::event::ModelCallEvent,
    usage::{StopReason, Usage},
};
use docket_providers::{Decoder, Limits, Protocol};
use serde_json::Value;
use std::collections::HashSet;

pub(crate) fn decode<'a>(protocol: Protocol, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<ModelCallEvent> {
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

pub(crate) fn whole(recording: &Recording) -> Vec<ModelCallEvent> {
    decode(recording.protocol, [&recording.bytes[..]].into_iter())
}

/// What holds for every stream, however spoiled.
fn assert_well_formed(events: &[ModelCallEvent]) {
    let terminals = events.iter().filter(|event| is_terminal(event)).count();
    assert_eq!(terminals, 1, "{events:?}");
    assert!(is_terminal(events.last().unwrap()));
    let mut next = 0;
    let mut begun = HashSet::new();
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

pub(crate) fn is_terminal(event: &ModelCallEvent) -> bool {
    matches!(event, ModelCallEvent::Finished { .. } | ModelCallEvent::Failed { .. })
}

/// A small generator, so that a failure repeats.
pub(crate) struct Cuts(pub(crate) u64);

impl Cuts {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    pub(crate) fn pieces<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(97)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// What a stream says, all in all.
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) signature: String,
    /// Block, id, name, input.
    pub(crate) calls: Vec<(u32, String, String, String)>,
    /// Whole blocks.
    pub(crate) opaque: Vec<Value>,
    pub(crate) usage: Usage,
    pub(crate) end: Option<Result<StopReason, FailureClass>>,
}

pub(crate) fn fold(events: &[ModelCallEvent]) -> Folded {
    let mut all = Folded::default();
    add(&mut all, events);
    all
}

/// Several answers as one.
pub(crate) fn fold_all(answers: &[Vec<ModelCallEvent>]) -> Folded {
    let mut all = Folded::default();
    answers.iter().for_each(|answer| add(&mut all, answer));
    all
}

fn add(all: &mut Folded, events: &[ModelCallEvent]) {
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
                all.calls.iter_mut().rev().find(|call| call.0 == *block).unwrap().3 += text;
            }
            ModelCallEvent::OpaqueReceived { block: Some(_), data, .. } => all.opaque.push(serde_json::from_str(data).unwrap()),
            ModelCallEvent::UsageReported { usage } => all.usage.supersede(*usage),
            ModelCallEvent::Finished { stop_reason, .. } => all.end = Some(Ok(*stop_reason)),
            ModelCallEvent::Failed { failure, .. } => all.end = Some(Err(failure.class)),
            _ => {}
        }
    }
}
