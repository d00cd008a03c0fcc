//! Whether what the processes did and saw fits one list.

use super::{
    child::EVERYBODY,
    report::{Operation, Outcome, Report, STRIDE, fold, payload},
    total,
};
use docket_eventlog::{Filter, Log};
use std::{collections::HashMap, fmt};

#[derive(Debug, Default)]
pub struct Judged {
    /// Events that were read, by the readers and here.
    pub compared: usize,
    pub appends: usize,
    pub conflicts: usize,
    pub repeated: usize,
    pub reconnections: usize,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { appends, conflicts, repeated, reconnections, .. } = self;
        write!(f, "{appends} appends, {conflicts} conflicts, {repeated} repeats, {reconnections} reconnections of readers")
    }
}

/// Where an event lies, and when its append began and ended.
#[derive(Clone, Copy)]
struct Place {
    position: u64,
    began: u64,
    ended: u64,
}

pub async fn judge(log: &Log, reports: &[Report]) -> Judged {
    let operations: Vec<&Operation> = reports.iter().flat_map(|report| &report.operations).collect();
    let written: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation.outcome {
            Outcome::Written { position, sequence } => Some((*operation, position, sequence)),
            _ => None,
        })
        .collect();
    let mut judged = Judged { appends: written.len(), ..Judged::default() };
    content(log, reports, &written, &mut judged).await;
    times(&written, reports);
    outcomes(&operations, &written, &mut judged);
    judged
}

/// Each event is the one that an acknowledged append put at its position, and every reader saw just these.
async fn content(log: &Log, reports: &[Report], written: &[(&Operation, u64, u64)], judged: &mut Judged) {
    let mut expected = vec![None; total() as usize + 1];
    for (operation, position, sequence) in written {
        for at in 0..operation.events {
            let from_end = operation.events - 1 - at;
            let place = &mut expected[(position - from_end) as usize];
            assert!(place.is_none(), "two appends at position {}", position - from_end);
            *place = Some((*operation, sequence - from_end, at));
        }
    }
    let (mut position, mut digest, mut digests) = (0, 0, Vec::new());
    let mut newest: HashMap<(String, u64), u64> = HashMap::new();
    while position < total() {
        for event in log.read_all(position, &Filter::all(), 5_000).await.unwrap().events {
            position += 1;
            assert_eq!(event.position, position);
            let (operation, sequence, at) = expected[position as usize].expect("an append that was acknowledged");
            assert_eq!((&*event.stream.aggregate_id, event.sequence), (&*operation.stream, sequence), "{position}");
            assert_eq!(event.payload, payload(operation.producer, operation.number, at), "{position}");
            assert_eq!(event.leaf_hash, event.computed_leaf_hash());
            // In each stream a producer's appends are in the order in which it sent them.
            let before = newest.entry((operation.stream.clone(), operation.producer)).or_default();
            assert!(*before <= operation.number, "{operation:?}");
            *before = operation.number;
            digest = fold(digest, &event.leaf_hash);
            if position % STRIDE == 0 || position == total() {
                digests.push(digest);
            }
        }
    }
    assert_eq!(log.head().await, Ok(total()));
    judged.compared = position as usize;
    for seen in reports.iter().flat_map(|report| &report.readers) {
        assert!(seen.digests == digests, "a reader saw something else than the log has");
        judged.compared += position as usize;
        judged.reconnections += seen.reconnections;
    }
}

/// What was acknowledged before something else began comes before it.
fn times(written: &[(&Operation, u64, u64)], reports: &[Report]) {
    let mut by_end: Vec<(u64, u64)> = written.iter().map(|(operation, position, _)| (operation.ended, *position)).collect();
    by_end.sort_unstable();
    let acknowledged = Newest::new(by_end);
    for (operation, position, _) in written {
        let first = position - operation.events + 1;
        assert!(acknowledged.before(operation.began) < first, "{operation:?} is placed before one that had ended");
    }
    let mut by_begin: Vec<(u64, u64)> = written.iter().map(|(operation, position, _)| (operation.began, *position)).collect();
    by_begin.sort_unstable();
    let sent = Newest::new(by_begin);
    for (began, ended, head) in reports.iter().flat_map(|report| &report.readers).flat_map(|seen| &seen.heads) {
        assert!(acknowledged.before(*began) <= *head, "a head of {head} is older than what had been acknowledged");
        assert!(*head <= sent.before(*ended), "a head of {head} is newer than anything that had been sent");
    }
}

/// The highest position as of a time.
struct Newest(Vec<(u64, u64)>);

impl Newest {
    fn new(mut sorted: Vec<(u64, u64)>) -> Self {
        let mut highest = 0;
        for (_, position) in &mut sorted {
            highest = highest.max(*position);
            *position = highest;
        }
        Self(sorted)
    }

    fn before(&self, time: u64) -> u64 {
        let count = self.0.partition_point(|(at, _)| *at < time);
        count.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

/// Conflicts and repeats are judged by what the stream was at some instant between question and answer.
fn outcomes(operations: &[&Operation], written: &[(&Operation, u64, u64)], judged: &mut Judged) {
    // The last event of each append, by stream and sequence; and the appends' places by producer and number.
    let mut places: HashMap<(&str, u64), Place> = HashMap::new();
    let mut applied: HashMap<(u64, u64), (u64, u64)> = HashMap::new();
    for (operation, position, sequence) in written {
        let Operation { producer, number, events, expected, began, ended, .. } = operation;
        assert!(expected.is_none_or(|expected| expected == sequence - events), "{operation:?}");
        for back in 0..*events {
            let place = Place { position: position - back, began: *began, ended: *ended };
            places.insert((&operation.stream, sequence - back), place);
        }
        assert!(applied.insert((*producer, *number), (*position, *sequence)).is_none(), "applied twice: {operation:?}");
    }
    for operation in operations {
        match operation.outcome {
            Outcome::Written { .. } => {}
            Outcome::Repeated { position, sequence } => {
                judged.repeated += 1;
                assert_eq!(applied.get(&(operation.producer, operation.number)), Some(&(position, sequence)), "{operation:?}");
                let place = places[&(&*operation.stream, sequence)];
                assert!(place.began < operation.ended && place.position == position, "{operation:?}");
            }
            Outcome::Conflict { actual } => {
                judged.conflicts += 1;
                assert!(operation.expected.is_some_and(|expected| expected != actual), "{operation:?}");
                assert!(operation.producer < EVERYBODY && operation.stream.starts_with("shared"), "{operation:?}");
                // The stream had so many events while the question was under way: the last of them had been sent, and the
                // next not yet been answered before.
                let last = places.get(&(&*operation.stream, actual));
                assert!(actual == 0 || last.is_some_and(|last| last.began < operation.ended), "{operation:?}");
                let next = places.get(&(&*operation.stream, actual + 1));
                assert!(next.is_none_or(|next| next.ended > operation.began), "{operation:?}");
            }
        }
    }
}
