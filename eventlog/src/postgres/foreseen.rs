//! What a batch will come to if nobody else writes before it. Then the events are made, and their leaf hashes computed, by this process
//! and before the lock; the server, which all processes share, only has to see that it is so.

use super::known::Known;
use crate::{
    append::Expected,
    clock,
    request::Request,
    written::{Outcome, Written, recorded},
};
use std::collections::HashMap;

pub(super) struct Foreseen {
    /// The newest position before.
    pub(super) base: u64,
    /// When it is written, in µs since 1970, UTC.
    pub(super) at: i64,
    pub(super) written: Written,
}

impl Foreseen {
    /// None where it cannot be told: where another process writes too, or a request does not say what its stream is like.
    pub(super) fn of(batch: &[&Request], known: &Known) -> Option<Self> {
        let base = known.head.filter(|_| known.alone)?;
        let at = clock::now();
        let (mut position, mut sequences) = (base, HashMap::new());
        let mut written = Written { outcomes: Vec::with_capacity(batch.len()), events: Vec::new() };
        for request in batch {
            let expected = match request.expected {
                Expected::Any => return None,
                Expected::NoStream => 0,
                Expected::Exact(sequence) => sequence,
            };
            let sequence = sequences.entry(&request.stream).or_insert(expected);
            if *sequence != expected {
                return None;
            }
            position += request.count();
            *sequence = expected.checked_add(request.count())?;
            let outcome = Outcome::Written { last_position: position, last_sequence: *sequence };
            written.outcomes.push(outcome);
            written.events.extend(recorded(request, outcome, at));
        }
        Some(Self { base, at, written })
    }
}
