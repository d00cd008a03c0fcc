//! The deltas of model calls that are under way, in memory: what a snapshot adds to the rows.

use docket_domain::{ids::ModelCallId, model_call::ModelCallEvent};
use docket_eventlog::{Filter, Log, ReadError, Recorded};
use lru::LruCache;
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Calls that are kept, the ones least recently heard of or asked for go first.
const CALLS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// Events of one call that are kept; a longer one is read from the log.
const EVENTS: usize = 8_192;

/// An event of a model call, with its position and time.
pub(crate) type Delta = (u64, i64, Arc<ModelCallEvent>);

/// Knows every event of the calls that began while it listened, up to [`LiveCalls::through`].
#[derive(Debug)]
pub(crate) struct LiveCalls {
    calls: Mutex<LruCache<ModelCallId, Vec<Delta>>>,
    through: AtomicU64,
}

impl LiveCalls {
    pub(crate) fn new(from: u64) -> Self {
        Self { calls: Mutex::new(LruCache::new(CALLS)), through: AtomicU64::new(from) }
    }

    /// Listens until it is told to stop, or the log is closed.
    pub(crate) async fn listen(self: Arc<Self>, log: Log, stop: CancellationToken) {
        let mut subscription = log.subscribe(self.through.load(Ordering::Acquire), Filter::all().aggregates(["model_call"]));
        loop {
            let batch = tokio::select! {
                () = stop.cancelled() => return,
                batch = subscription.next() => batch,
            };
            match batch {
                Ok(batch) => {
                    batch.events.iter().for_each(|event| self.hear(event));
                    self.through.store(batch.through, Ordering::Release);
                }
                Err(ReadError::Closed) => return,
                Err(error) => {
                    // Snapshots read the log meanwhile.
                    tracing::warn!(%error, "the live fold of model calls cannot read the log");
                    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), stop.cancelled()).await;
                }
            }
        }
    }

    fn hear(&self, recorded: &Recorded) {
        let Some(id) = model_call_id(recorded) else { return };
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // An event that cannot be decoded, or one too many, makes a hole: from then on the log has to be asked.
        let Ok(event) = recorded.decode::<ModelCallEvent>() else { return drop(calls.pop(&id)) };
        let delta = (recorded.position, recorded.recorded_at, Arc::new(event));
        if recorded.sequence == 1 {
            calls.put(id, vec![delta]);
        } else if let Some(deltas) = calls.get_mut(&id) {
            deltas.push(delta);
            if deltas.len() > EVENTS {
                calls.pop(&id);
            }
        }
    }

    /// The call's events up to `position`, where they are known.
    fn known(&self, id: ModelCallId, position: u64) -> Option<Vec<Delta>> {
        if self.through.load(Ordering::Acquire) < position {
            return None;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        Some(calls.get(&id)?.iter().take_while(|(at, ..)| *at <= position).cloned().collect())
    }

    /// The call's events up to `position`: from memory, or from the log.
    pub(crate) async fn deltas(&self, log: &Log, id: ModelCallId, position: u64) -> Result<Vec<Delta>, ReadError> {
        match self.known(id, position) {
            Some(deltas) => Ok(deltas),
            None => super::time_travel::deltas(log, id, position).await,
        }
    }
}

fn model_call_id(event: &Recorded) -> Option<ModelCallId> {
    Uuid::parse_str(&event.stream.aggregate_id).ok().map(ModelCallId)
}
