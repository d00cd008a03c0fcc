//! What all parts of an open log share: how far it has come, its newest events, who waits for them, and whether it is closed.

use crate::{
    filter::Filter,
    interest::{Interest, Interests},
    recorded::Recorded,
    ring::{Commit, Ring},
    stats::Counters,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const RING_EVENTS: usize = 16_384;
const RING_BYTES: usize = 32 << 20;
/// Where so many are missing they are not fetched: readers take the rows themselves.
const FAR_BEHIND: u64 = RING_EVENTS as u64;

#[derive(Debug)]
pub(crate) struct Live {
    /// This process, as long as the log is open.
    pub(crate) worker: Uuid,
    /// The log is known to reach to here, whoever wrote it.
    head: AtomicU64,
    /// Everything up to here was shown to the readers, in order; never beyond the head.
    shown: watch::Sender<u64>,
    order: Mutex<Order>,
    /// Called when the head has left behind what was shown.
    behind: Notify,
    pub(crate) counters: Counters,
    /// Set when no more appends are taken.
    pub(crate) closing: CancellationToken,
    /// Set when the last append is answered.
    pub(crate) closed: CancellationToken,
}

/// What changes together when something is shown.
#[derive(Debug)]
struct Order {
    ring: Ring,
    interests: Interests,
    /// Commits of this process that came before those of others in front of them, by their first position.
    early: BTreeMap<u64, Vec<Arc<Recorded>>>,
}

impl Live {
    pub(crate) fn new(worker: Uuid, head: u64) -> Self {
        let ring = Ring::new(RING_EVENTS, RING_BYTES);
        Self {
            worker,
            head: AtomicU64::new(head),
            shown: watch::Sender::new(head),
            order: Mutex::new(Order { ring, interests: Interests::default(), early: BTreeMap::new() }),
            behind: Notify::new(),
            counters: Counters::default(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        }
    }

    /// Shows a commit of this process to its readers, as soon as everything before it was shown. Called only when it is durable.
    pub(crate) fn publish(&self, events: Vec<Arc<Recorded>>) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let (first, last) = (first.position, last.position);
        self.head.fetch_max(last, Ordering::AcqRel);
        let concerned = {
            let mut order = self.order();
            order.early.insert(first, events);
            let concerned = self.show_early(&mut order);
            if !order.early.is_empty() {
                self.behind.notify_one();
            }
            concerned
        };
        concerned.iter().for_each(Interest::wake);
        // What waits for what is missing has to stay within bounds, too.
        if Self::is_far_behind(self.shown(), last) {
            self.skip(last);
        }
    }

    /// The log reaches to `head`, whoever wrote it.
    pub(crate) fn advance(&self, head: u64) {
        if self.head.fetch_max(head, Ordering::AcqRel) < head {
            self.behind.notify_one();
        }
    }

    /// Ends when there may be something between what was shown and the head.
    pub(crate) async fn fallen_behind(&self) {
        self.behind.notified().await;
    }

    /// The positions (after, through] that this process has not got: others wrote them.
    pub(crate) fn missing(&self) -> Option<(u64, u64)> {
        let order = self.order();
        let (shown, head) = (self.shown(), self.head());
        let through = order.early.first_key_value().map_or(head, |(first, _)| head.min(first - 1));
        (through > shown).then_some((shown, through))
    }

    /// Shows what was missing: all events after what has been shown, up to `through`.
    pub(crate) fn fill(&self, events: Vec<Arc<Recorded>>, through: u64) {
        let concerned = {
            let mut order = self.order();
            let mut concerned = self.show(&mut order, events, through);
            concerned.extend(self.show_early(&mut order));
            concerned
        };
        concerned.iter().for_each(Interest::wake);
    }

    /// So much is missing that readers shall take the rows themselves.
    pub(crate) fn is_far_behind(after: u64, through: u64) -> bool {
        through.saturating_sub(after) > FAR_BEHIND
    }

    /// Goes on after `through` without what was missing.
    pub(crate) fn skip(&self, through: u64) {
        let concerned = {
            let mut order = self.order();
            order.ring.clear();
            let everybody = order.interests.forget_all(through);
            self.shown.send_if_modified(|shown| std::mem::replace(shown, through.max(*shown)) < through);
            // Those who have the rest shown are among them.
            self.show_early(&mut order);
            everybody
        };
        concerned.iter().for_each(Interest::wake);
    }

    fn show_early(&self, order: &mut Order) -> Vec<Arc<Interest>> {
        let mut concerned = Vec::new();
        while let Some(entry) = order.early.first_entry().filter(|entry| *entry.key() <= self.shown() + 1) {
            let events = entry.remove();
            let through = events.last().map_or(0, |event| event.position);
            concerned.extend(self.show(order, events, through));
        }
        concerned
    }

    /// Gives those to be woken, when the lock is given back.
    fn show(&self, order: &mut Order, mut events: Vec<Arc<Recorded>>, through: u64) -> Vec<Arc<Interest>> {
        let shown = self.shown();
        if through <= shown {
            return Vec::new();
        }
        // Rows may have been read before our own commit was shown, or our own commit have been read as rows.
        events.retain(|event| event.position > shown);
        let concerned = order.interests.show(&events);
        let gone = order.ring.push(shown, events);
        gone.iter().for_each(|commit| order.interests.forget(commit));
        self.shown.send_replace(through);
        concerned
    }

    /// The newest position that is known here.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Everything up to here was shown.
    pub(crate) fn shown(&self) -> u64 {
        *self.shown.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.shown.subscribe()
    }

    pub(crate) fn join(&self, filter: &Filter) -> Arc<Interest> {
        self.order().interests.join(filter, self.shown())
    }

    pub(crate) fn leave(&self, interest: &Arc<Interest>) {
        self.order().interests.leave(interest);
    }

    /// Events after `after` from memory, about `limit`; none when they are not there.
    pub(crate) fn recent(&self, after: u64, limit: usize) -> Vec<Arc<Commit>> {
        self.order().ring.after(after, limit)
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // A panic inside is a bug, but every change of it is complete before the next call that could fail.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
