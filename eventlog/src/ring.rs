//! The newest events, in memory: how readers get them without asking the database.

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

/// The events of one transaction, or of several that another process made; never empty.
#[derive(Debug)]
pub(crate) struct Commit {
    after: u64,
    last: u64,
    bytes: usize,
    pub(crate) events: Vec<Arc<Recorded>>,
}

impl Ring {
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { commits: VecDeque::new(), events: 0, bytes: 0, max_events, max_bytes }
    }

    /// Takes in the events that follow the newest; all of those after `after`. Gives the commits that had to go.
    pub(crate) fn push(&mut self, after: u64, events: Vec<Arc<Recorded>>) -> Vec<Arc<Commit>> {
        let mut gone = Vec::new();
        let Some(last) = events.last().map(|event| event.position) else { return gone };
        // Nothing lies between them, whatever their positions.
        let after = self.commits.back().map_or(after, |newest| newest.last);
        let bytes = events.iter().map(|event| event.weight_encoded()).sum();
        self.events += events.len();
        self.bytes += bytes;
        self.commits.push_back(Arc::new(Commit { after, last, bytes, events }));
        while self.events > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.commits.pop_front() else { break };
            self.events -= oldest.events.len();
            self.bytes -= oldest.bytes;
            gone.push(oldest);
        }
        gone
    }

    /// What comes next does not follow what is here.
    pub(crate) fn clear(&mut self) {
        self.commits.clear();
        (self.events, self.bytes) = (0, 0);
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
    use crate::recorded::tests::run;

    fn positions(ring: &Ring, after: u64, limit: usize) -> Vec<u64> {
        ring.after(after, limit).iter().flat_map(|commit| &commit.events).map(|event| event.position).collect()
    }

    #[test]
    fn hands_on_what_it_has() {
        let mut ring = Ring::new(6, 1 << 20);
        assert!(positions(&ring, 0, 10).is_empty());
        ring.push(0, run(1..=2));
        ring.push(2, run(3..=3));
        assert!(ring.push(3, run(4..=6)).is_empty());
        assert_eq!(positions(&ring, 0, 10), [1, 2, 3, 4, 5, 6]);
        assert_eq!(positions(&ring, 1, 2), [1, 2], "the whole commit that holds the next event");
        assert_eq!(positions(&ring, 2, 2), [3, 4, 5, 6]);
        assert!(positions(&ring, 6, 10).is_empty());

        let gone = ring.push(6, run(7..=7));
        assert_eq!(gone.iter().map(|commit| commit.last).collect::<Vec<_>>(), [2]);
        assert!(positions(&ring, 0, 10).is_empty(), "the oldest had to go");
        assert_eq!(positions(&ring, 2, 10), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn keeps_its_bounds() {
        let mut ring = Ring::new(100, 2000);
        ring.push(0, run(1..=2));
        ring.clear();
        ring.push(4, run(5..=6));
        assert!(positions(&ring, 0, 10).is_empty() && positions(&ring, 2, 10).is_empty());
        assert_eq!(positions(&ring, 4, 10), [5, 6]);
        ring.push(6, run(7..=20));
        assert!(positions(&ring, 4, 10).is_empty(), "more bytes than it may hold");
        assert_eq!((ring.events, ring.bytes), (0, 0));
        ring.push(20, run(21..=21));
        assert_eq!(positions(&ring, 20, 10), [21]);
    }
}
