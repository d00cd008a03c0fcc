//! The remembered states.

use lru::LruCache;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

/// A state after the stream's event number `sequence`.
#[derive(Debug)]
pub(crate) struct Cached<A> {
    pub(crate) state: A,
    pub(crate) sequence: u64,
    /// Of that event; 0 for none.
    pub(crate) position: u64,
    /// The log's position up to which the stream is known to have no further events.
    pub(crate) as_of: Option<u64>,
    /// The sequence of the stream's last snapshot, as far as it is known here; 0 for none.
    pub(crate) snapshot: u64,
}

impl<A: Default> Default for Cached<A> {
    fn default() -> Self {
        Self { state: A::default(), sequence: 0, position: 0, as_of: None, snapshot: 0 }
    }
}

/// An aggregate's place. Whoever executes a command holds its lock until the commit; an empty one is filled from the log.
pub(crate) type Slot<A> = Arc<tokio::sync::Mutex<Option<Cached<A>>>>;

#[derive(Debug)]
pub(crate) struct Cache<A>(Mutex<LruCache<String, Slot<A>>>);

impl<A> Cache<A> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN))))
    }

    /// The place of an aggregate. Should one that is in use be pushed out and made anew, two commands may run at once: the log then
    /// refuses the second, which decides again.
    pub(crate) fn slot(&self, id: &str) -> Slot<A> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get_or_insert_mut_ref(id, Slot::default).clone()
    }
}
