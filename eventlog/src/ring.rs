//! The newest events, in memory: how readers in the process that wrote them get them without asking the database.

use crate::recorded::Recorded;
use std::{collections::VecDeque, sync::Arc};

/// A run of commits without holes between them, bounded in events and bytes.
#[derive(Debug)]
pub(crate) struct Ring {
    commits: VecDeque<Arc<Commit>>,
    events: usize,
    bytes: usize,
    max_events: usize,
    max_bytes: usize,
}

/// The events of one transaction; never empty.
#[derive(Debug)]
pub(crate) struct Commit {
    /// The position before its first event: positions need not be dense, so that alone tells what it follows.
    after: u64,
    last: u64,
    bytes: usize,
    pub(crate) events: Vec<Arc<Recorded>>,
}

impl Ring {
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { commits: VecDeque::new(), events: 0, bytes: 0, max_events, max_bytes }
    }

    /// Takes in the events that follow the position `after`. After a hole (another process wrote in between) only they are kept.
    pub(crate) fn push(&mut self, after: u64, events: Vec<Arc<Recorded>>) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        if self.commits.back().is_some_and(|newest| newest.last != after) {
            self.commits.clear();
            (self.events, self.bytes) = (0, 0);
        }
        let bytes = events.iter().map(|event| event.weight()).sum();
        self.events += events.len();
        self.bytes += bytes;
        self.commits.push_back(Arc::new(Commit { after, last, bytes, events }));
        while self.events > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.commits.pop_front() else { break };
            self.events -= oldest.events.len();
            self.bytes -= oldest.bytes;
        }
    }

    /// The commits with the events after `after`, about `limit` of them, from the one that holds the next event on; none when that
    /// is not here any more, or not yet.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Vec<Arc<Commit>> {
        let start = self.commits.partition_point(|commit| commit.last <= after);
        let mut found = Vec::new();
        if self.commits.get(start).is_none_or(|commit| commit.after > after) {
            return found;
        }
        let mut events = 0;
        for commit in self.commits.range(start..) {
            found.push(commit.clone());
            events += commit.events.len();
            if events >= limit {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_id::StreamId;

    fn commit(positions: std::ops::RangeInclusive<u64>) -> Vec<Arc<Recorded>> {
        let event = |position| Recorded {
            position,
            stream: StreamId::new("chat", "1"),
            scope: None,
            sequence: position,
            event_type: "chat.titled".into(),
            event_version: "1.0".into(),
            payload: "{}".into(),
            metadata: "{}".into(),
            recorded_at: 0,
            leaf_hash: [0; 32],
        };
        positions.map(|position| Arc::new(event(position))).collect()
    }

    fn positions(ring: &Ring, after: u64, limit: usize) -> Vec<u64> {
        ring.after(after, limit).iter().flat_map(|commit| &commit.events).map(|event| event.position).collect()
    }

    #[test]
    fn hands_on_what_it_has() {
        let mut ring = Ring::new(6, 1 << 20);
        assert!(positions(&ring, 0, 10).is_empty());
        ring.push(0, commit(1..=2));
        ring.push(2, commit(3..=3));
        ring.push(3, commit(4..=6));
        assert_eq!(positions(&ring, 0, 10), [1, 2, 3, 4, 5, 6]);
        assert_eq!(positions(&ring, 1, 2), [1, 2], "the whole commit that holds the next event");
        assert_eq!(positions(&ring, 2, 2), [3, 4, 5, 6]);
        assert!(positions(&ring, 6, 10).is_empty());

        ring.push(6, commit(7..=7));
        assert!(positions(&ring, 0, 10).is_empty(), "the oldest had to go");
        assert_eq!(positions(&ring, 2, 10), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn positions_need_not_be_dense() {
        let mut ring = Ring::new(100, 1 << 20);
        ring.push(70, commit(100..=101));
        ring.push(101, commit(250..=250));
        assert!(positions(&ring, 60, 10).is_empty(), "what lies between 60 and 70 is not known");
        assert_eq!(positions(&ring, 70, 10), [100, 101, 250]);
        assert_eq!(positions(&ring, 99, 10), [100, 101, 250]);
        assert_eq!(positions(&ring, 101, 10), [250]);
        ring.push(300, commit(301..=301));
        assert!(positions(&ring, 101, 10).is_empty());
        assert_eq!(positions(&ring, 300, 10), [301]);
    }

    #[test]
    fn has_no_holes_and_keeps_its_bounds() {
        let mut ring = Ring::new(100, 1000);
        ring.push(0, commit(1..=2));
        ring.push(4, commit(5..=6));
        assert!(positions(&ring, 0, 10).is_empty() && positions(&ring, 2, 10).is_empty());
        assert_eq!(positions(&ring, 4, 10), [5, 6]);
        ring.push(6, commit(7..=20));
        assert!(positions(&ring, 4, 10).is_empty(), "more bytes than it may hold");
        assert_eq!((ring.events, ring.bytes), (0, 0));
        ring.push(20, commit(21..=21));
        assert_eq!(positions(&ring, 20, 10), [21]);
    }
}
