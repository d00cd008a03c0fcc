use super::{decode::decode, encode::encode, error::SegmentError};
use crate::{
    encoded::Encoded,
    leaf::{Sha256Digest, leaf_hash, name_digest, sha256},
    recorded::Recorded,
    stream_id::StreamId,
};
use proptest::{collection::vec, prelude::*};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

fn hashed(event: &Recorded) -> Sha256Digest {
    let name = name_digest(&event.stream, &event.event_type, &event.event_version);
    leaf_hash(event.position, event.sequence, event.recorded_at, &name, &sha256(&event.metadata), &sha256(&event.payload))
}

/// A log's part: from each triple (stream, gap before it, payload) an event.
fn log(steps: Vec<(u8, u8, String, i32)>) -> Vec<Arc<Recorded>> {
    let (mut sequences, mut position) = (HashMap::new(), 0);
    let event = |(stream, gap, payload, time): (u8, u8, String, i32)| {
        position += 1 + u64::from(gap);
        let sequence: &mut u64 = sequences.entry(stream).or_insert(u64::from(stream) * 7);
        *sequence += 1;
        let id = if stream.is_multiple_of(2) { Uuid::from_u128(stream.into()).to_string() } else { format!("{stream}") };
        let mut event = Recorded {
            position,
            stream: StreamId::new("model_call", id),
            scope: (stream > 1).then(|| Uuid::from_u128(u128::MAX - u128::from(stream))),
            sequence: *sequence,
            event_type: if payload.len() > 20 { "model_call.text_streamed" } else { "model_call.noted" }.into(),
            event_version: "1".into(),
            payload: payload.into(),
            metadata: format!("{{\"actor\":\"{}\"}}", stream / 3).into(),
            recorded_at: i64::from(time),
            leaf_hash: [0; 32],
            encoded: Encoded::default(),
        };
        event.leaf_hash = hashed(&event);
        Arc::new(event)
    };
    steps.into_iter().map(event).collect()
}

fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (any::<u32>(), "[a-z \\\\é\"]{0,8}").prop_map(|(index, text)| {
            serde_json::json!({"type": "text_streamed", "index": index, "block": 0, "text": text}).to_string()
        }),
        1 => "[0-9\"{}:,\\\\ -]{0,12}",
    ]
}

fn steps(most: usize) -> impl Strategy<Value = Vec<(u8, u8, String, i32)>> {
    vec((0..6u8, 0..3u8, payload(), any::<i32>()), 1..most)
}

proptest! {
    #[test]
    fn events_return(steps in steps(200)) {
        let events = log(steps);
        let (header, segment) = encode(&events).unwrap();
        prop_assert_eq!((header.first, header.last), (events[0].position, events.last().unwrap().position));
        let (again, decoded) = decode(&segment).unwrap();
        prop_assert_eq!(again, header);
        prop_assert_eq!(decoded, events);
    }

    #[test]
    fn any_damage_is_an_error(steps in steps(30), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (_, segment) = encode(&log(steps)).unwrap();
        let mut damaged = segment.clone();
        damaged[at.index(segment.len())] ^= 1 << bit;
        prop_assert!(decode(&damaged).is_err());
        prop_assert!(decode(&segment[..at.index(segment.len())]).is_err());
        damaged = segment;
        damaged.push(0);
        prop_assert!(decode(&damaged).is_err());
    }

    /// As if someone had made the digest fit: then every check behind it is on its own.
    #[test]
    fn a_forged_body_is_an_error_or_has_other_leaf_hashes(
        steps in steps(30), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let events = log(steps);
        let (mut header, segment) = encode(&events).unwrap();
        let packed = &segment[segment.len() - header.packed as usize..];
        let mut body = zstd::bulk::decompress(packed, header.unpacked as usize).unwrap();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let packed = zstd::bulk::compress(&body, 1).unwrap();
        header.packed = packed.len() as u64;
        if let Ok((_, decoded)) = decode(&header.before(&packed)) {
            // The scope alone is not in the leaf hash.
            let known = |events: &[Arc<Recorded>]| events.iter().map(|event| Recorded { scope: None, ..(**event).clone() }).collect::<Vec<_>>();
            prop_assert_eq!(known(&decoded), known(&events));
        }
    }
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let step = |stream| (stream, 0, "{}".to_owned(), 5);
    assert_eq!(encode(&[]).unwrap_err(), SegmentError::Empty);
    let events = log(vec![step(1), step(1), step(1)]);
    assert_eq!(encode(&[events[0].clone(), events[2].clone()]).unwrap_err(), SegmentError::OutOfOrder { position: 3 });
    assert_eq!(encode(&[events[1].clone(), events[0].clone()]).unwrap_err(), SegmentError::OutOfOrder { position: 1 });
    let changed = Recorded { payload: "[]".into(), ..(*events[0]).clone() };
    assert_eq!(encode(&[Arc::new(changed)]).unwrap_err(), SegmentError::Changed { position: 1 });
}

/// A segment that version 0.1 wrote is read for ever.
#[test]
fn the_format_is_fixed() {
    let events = log(vec![(0, 0, "{\"text\":\"a\",\"index\":7}".into(), 5), (1, 2, "[]".into(), 6), (0, 0, "{}".into(), 9)]);
    let (_, segment) = encode(&events).unwrap();
    let written = include_bytes!("tests/first.segment");
    assert_eq!(decode(written).unwrap().1, events);
    let mut other = segment;
    other[11] = 2;
    assert_eq!(decode(&other).unwrap_err(), SegmentError::Format(2));
    other[0] = b'D';
    assert_eq!(decode(&other).unwrap_err(), SegmentError::NotASegment);
}

/// Short tokens of interleaved calls take a tenth of what their rows take (170 bytes on SQLite), and less.
#[test]
fn a_token_takes_few_bytes() {
    const WORDS: [&str; 12] =
        ["The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", ".\n", " 42", "\u{00e9}t\u{00e9}"];
    let (mut random, mut time) = (1u64, 1_700_000_000_000_000i64);
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let mut sequences = [0u64; 32];
    let events: Vec<_> = (1..=16_384u64)
        .map(|position| {
            let stream = (next() % 32) as usize;
            sequences[stream] += 1;
            time += (next() % 20_000) as i64;
            let text = WORDS[(next() % 12) as usize];
            let payload = serde_json::json!({"type": "text_streamed", "index": sequences[stream], "block": 0, "text": text});
            let mut event = Recorded {
                position,
                stream: StreamId::new("model_call", Uuid::from_u128(stream as u128).to_string()),
                scope: Some(Uuid::from_u128(stream as u128)),
                sequence: sequences[stream],
                event_type: "model_call.text_streamed".into(),
                event_version: "1".into(),
                payload: payload.to_string().into(),
                metadata: format!("{{\"actor\":\"worker:{stream}\"}}").into(),
                recorded_at: time,
                leaf_hash: [0; 32],
                encoded: Encoded::default(),
            };
            event.leaf_hash = hashed(&event);
            Arc::new(event)
        })
        .collect();
    let (_, segment) = encode(&events).unwrap();
    let bytes = segment.len() as f64 / events.len() as f64;
    assert!(bytes <= 17.0, "{bytes:.1} bytes an event");
}
