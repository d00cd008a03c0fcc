//! What all parts of an open log share: how far it has come, its newest events, and whether it is closed.

use crate::{recorded::Recorded, ring::Ring, stats::Counters};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const RING_EVENTS: usize = 16_384;
const RING_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct Live {
    /// This process, as long as the log is open.
    pub(crate) worker: Uuid,
    head: watch::Sender<u64>,
    ring: Mutex<Ring>,
    pub(crate) counters: Counters,
    /// Set when no more appends are taken.
    pub(crate) closing: CancellationToken,
    /// Set when the last append is answered.
    pub(crate) closed: CancellationToken,
}

impl Live {
    pub(crate) fn new(worker: Uuid, head: u64) -> Self {
        Self {
            worker,
            head: watch::Sender::new(head),
            ring: Mutex::new(Ring::new(RING_EVENTS, RING_BYTES)),
            counters: Counters::default(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        }
    }

    /// Shows durable events to the readers: all that the log has after the position `after`, up to the last of them.
    pub(crate) fn publish(&self, after: u64, events: Vec<Arc<Recorded>>) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        // A panic inside is a bug, but the ring stays whole: every change of it is complete before the next call that could fail.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).push(after, events);
        self.advance(last);
    }

    /// The log reaches to `head`, whoever wrote it.
    pub(crate) fn advance(&self, head: u64) {
        self.head.send_if_modified(|known| {
            let newer = head > *known;
            *known = head.max(*known);
            newer
        });
    }

    /// The newest position that is known here.
    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Events after `after` from memory, about `limit`; none when they are not there.
    pub(crate) fn recent(&self, after: u64, limit: usize) -> Vec<Arc<crate::ring::Commit>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).after(after, limit)
    }
}
