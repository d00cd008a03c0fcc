//! Figures for metrics.

use crate::fault::Fault;
use std::sync::atomic::{AtomicU64, Ordering};

/// What this process has done with the log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events written.
    pub events: u64,
    /// Appends that were written.
    pub appends: u64,
    /// Appends that were repeats of a command.
    pub repeated: u64,
    /// Appends refused because of what they expected.
    pub conflicts: u64,
    /// Appends that failed otherwise.
    pub failed: u64,
    /// Transactions committed.
    pub batches: u64,
    /// Events of other processes that were read for all readers of this one.
    pub fetched: u64,
    /// Appends that wait for the writer now.
    pub queued: u64,
    /// The newest position known to this process.
    pub head: u64,
    /// Events read to bring aggregates up to date.
    pub events_loaded: u64,
    /// Loads of aggregates that began at a snapshot.
    pub snapshots_used: u64,
    /// Snapshots taken; each is then written, or fails, which harms nothing.
    pub snapshots_taken: u64,
    pub snapshots_written: u64,
    pub snapshots_failed: u64,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events: Counter,
    pub(crate) appends: Counter,
    pub(crate) repeated: Counter,
    pub(crate) conflicts: Counter,
    pub(crate) failed: Counter,
    pub(crate) batches: Counter,
    pub(crate) fetched: Counter,
    pub(crate) fault: Fault,
    pub(crate) events_loaded: Counter,
    pub(crate) snapshots_used: Counter,
    pub(crate) snapshots_taken: Counter,
    pub(crate) snapshots_written: Counter,
    pub(crate) snapshots_failed: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
