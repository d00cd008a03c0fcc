//! Aggregates over the log: their states, kept in memory, and commands executed on them.

mod cache;
mod cqrs;
mod error;
mod execute;
mod snapshots;

pub use cqrs::Loaded;
pub use error::ExecuteError;
pub use execute::Executed;

use crate::{append::NewEvent, error::ReadError, log::Log, stream_id::StreamId};
use cache::{Cache, Cached};
use docket_domain::Decide;
use std::{fmt, sync::Arc};
use uuid::Uuid;

/// Aggregates whose states are remembered when nothing else is said.
const CAPACITY: usize = 1024;

/// All aggregates of one type. Recent ones are kept in memory as they are after their last event, so a command costs the same at
/// event 10 and at event 1,000,000. What others append is noticed: by the conflict it causes, or by reading on before a refusal.
///
/// What is not in memory is loaded from the stream's last snapshot and the events after it; see `snapshots`.
///
/// Clones share what they remember. It is a `cqrs_es::EventStore`, too.
pub struct Aggregates<A> {
    log: Log,
    cache: Arc<Cache<A>>,
    snapshot_every: u64,
}

impl<A> Clone for Aggregates<A> {
    fn clone(&self) -> Self {
        Self { log: self.log.clone(), cache: self.cache.clone(), snapshot_every: self.snapshot_every }
    }
}

impl<A> fmt::Debug for Aggregates<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregates").finish_non_exhaustive()
    }
}

impl<A: Decide> Aggregates<A> {
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self::with_capacity(log, CAPACITY)
    }

    /// Remembers the states of so many aggregates.
    #[must_use]
    pub fn with_capacity(log: Log, capacity: usize) -> Self {
        Self { log, cache: Arc::new(Cache::new(capacity)), snapshot_every: snapshots::EVERY }
    }

    /// Takes a snapshot of a state after so many events of its stream, instead of the number that suits.
    #[must_use]
    pub fn snapshot_every(mut self, events: u64) -> Self {
        self.snapshot_every = events.max(1);
        self
    }

    /// Looks at the aggregate's current state and its sequence. An id without events has the default state and sequence 0.
    ///
    /// # Errors
    /// [`ReadError`] when the events cannot be read or decoded.
    pub async fn read<R>(&self, id: Uuid, look: impl FnOnce(&A, u64) -> R) -> Result<R, ReadError> {
        let id = id.to_string();
        let mut slot = self.cache.slot(&id).lock_owned().await;
        let cached = self.refreshed(&mut slot, &stream::<A>(&id)).await?;
        Ok(look(&cached.state, cached.sequence))
    }

    /// Brings what is remembered up to date, from nothing if need be.
    async fn refreshed<'a>(&self, slot: &'a mut Option<Cached<A>>, stream: &StreamId) -> Result<&'a mut Cached<A>, ReadError> {
        // Everything up to here is committed, so what is read below holds it.
        let head = self.log.live().head();
        let cached = match slot {
            Some(cached) => cached,
            None => slot.insert(self.restored(stream).await),
        };
        // Where other processes write, the log may be further than is known here: ask.
        if cached.as_of == Some(head) && self.log.is_only_process() {
            return Ok(cached);
        }
        loop {
            let rows = self.log.read_stream_rows(stream, cached.sequence, 1000).await?;
            self.log.live().counters.events_loaded.add(rows.events.len() as u64);
            for recorded in &rows.events {
                cached.state.apply_event(&recorded.decode()?);
                cached.sequence = recorded.sequence;
                cached.position = recorded.position;
            }
            if rows.complete {
                cached.as_of = Some(head);
                self.snapshot_if_due(stream, cached);
                return Ok(cached);
            }
        }
    }
}

fn stream<A: Decide>(id: &str) -> StreamId {
    StreamId::new(A::KIND, id)
}

fn encode<E: cqrs_es::DomainEvent>(events: &[E]) -> Result<Vec<NewEvent>, serde_json::Error> {
    let encode = |event: &E| {
        Ok(NewEvent {
            event_type: event.event_type().into(),
            event_version: event.event_version().into(),
            payload: serde_json::to_vec(event)?.into(),
        })
    };
    events.iter().map(encode).collect()
}
