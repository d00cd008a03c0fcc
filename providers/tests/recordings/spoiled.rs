//! Streams that are cut anywhere, cut short, or spoiled.

use crate::{
    decoding::{Cuts, decode, whole},
    recording::{Recording, answers, recordings},
};
use docket_domain::model_call::event::ModelCallEvent;
use docket_providers::Protocol;
use proptest::prelude::*;

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

/// Whether a stream of this protocol announces its end, so that a shorter one cannot count as whole.
fn announces_its_end(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::AnthropicMessages | Protocol::OpenAiResponses)
}

#[test]
fn every_prefix_ends_in_a_terminal_and_says_nothing_else() {
    for recording in recordings().iter().flat_map(answers) {
        let all = whole(&recording);
        let step = (recording.bytes.len() / 400).max(1);
        for end in (0..recording.bytes.len()).step_by(step) {
            let part = decode(recording.protocol, [&recording.bytes[..end]].into_iter());
            let mut said = part.len() - 1;
            // The input that Gemini had streamed until then, and the reasoning of OpenRouter, are put together at the end.
            while said > 0 && part[said - 1] != all[said - 1] {
                said -= 1;
            }
            assert!(part.len() - 1 - said <= 1, "{} cut at {end}", recording.name);
            assert_eq!(part[..said], all[..said], "{} cut at {end}", recording.name);
            if announces_its_end(recording.protocol) && !matches!(part[part.len() - 1], ModelCallEvent::Failed { .. }) {
                // What is left is the end of the last event, or a `[DONE]` that nobody asked for.
                let left = &recording.bytes[end..];
                assert!(left.len() <= 4 || !left.contains(&b'}'), "{} cut at {end} counts as complete", recording.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

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

    /// The frames of a binary stream have checksums, so spoiled bytes never reach what reads the events; here the events of
    /// a recording are shuffled, repeated and left out instead, for every protocol.
    #[test]
    fn events_in_any_order_never_panic(which in any::<prop::sample::Index>(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        thread_local!(static ALL: Vec<(Protocol, Vec<Vec<u8>>)> = recordings().iter().map(|one| (one.protocol, frames(one))).collect());
        ALL.with(|all| {
            let (protocol, frames) = which.get(all);
            let bytes: Vec<u8> = order.iter().flat_map(|at| at.get(frames).clone()).collect();
            decode(*protocol, [&bytes[..]].into_iter());
        });
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), text in "(data: ?[\\[{\"a-z:}\\],0-9]{0,20}(\n|\r|\r\n){0,2}){0,12}") {
        for protocol in [
            Protocol::AnthropicMessages,
            Protocol::OpenAiResponses,
            Protocol::OpenAiChat,
            Protocol::Gemini,
            Protocol::BedrockConverse,
            Protocol::Scripted,
        ] {
            decode(protocol, [&bytes[..], text.as_bytes()].into_iter());
        }
    }
}

/// The frames of a recording, each with its end.
fn frames(recording: &Recording) -> Vec<Vec<u8>> {
    if recording.protocol == Protocol::BedrockConverse {
        let (mut frames, mut rest) = (Vec::new(), &recording.bytes[..]);
        while !rest.is_empty() {
            let length = rest[..4].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let (frame, after) = rest.split_at(length);
            frames.push(frame.to_vec());
            rest = after;
        }
        return frames;
    }
    let text = String::from_utf8(recording.bytes.clone()).unwrap().replace("\r\n", "\n");
    text.split("\n\n").map(|frame| format!("{frame}\n\n").into_bytes()).collect()
}
