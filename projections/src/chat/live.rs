//! The deltas of model calls that are under way, in memory: what a snapshot adds to the rows.

use docket_domain::{ids::ModelCallId, model_call::ModelCallEvent};
use docket_eventlog::{Filter, Log, ReadError, Recorded};
use lru::LruCache;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Events that are kept: about 12 MB, however many calls there are. The calls least recently heard of or asked for go first, and are
/// read from the log.
const EVENTS: usize = 32_768;

/// An event of a model call, with its position and time.
pub(crate) type Delta = (u64, i64, ModelCallEvent);

/// Knows every event of the calls that began while it listened, up to [`LiveCalls::through`]. They are decoded when somebody asks:
/// most are never asked for.
#[derive(Debug)]
pub(crate) struct LiveCalls {
    calls: Mutex<Calls>,
    through: AtomicU64,
}

#[derive(Debug)]
struct Calls {
    by_id: LruCache<ModelCallId, Vec<Arc<Recorded>>>,
    events: usize,
}

impl LiveCalls {
    pub(crate) fn new(from: u64) -> Self {
        Self { calls: Mutex::new(Calls { by_id: LruCache::unbounded(), events: 0 }), through: AtomicU64::new(from) }
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

    fn hear(&self, recorded: &Arc<Recorded>) {
        let Some(id) = model_call_id(recorded) else { return };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).hear(id, recorded.clone());
    }

    /// The call's events up to `position`, where they are known.
    fn known(&self, id: ModelCallId, position: u64) -> Option<Vec<Arc<Recorded>>> {
        if self.through.load(Ordering::Acquire) < position {
            return None;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        Some(calls.by_id.get(&id)?.iter().take_while(|event| event.position <= position).cloned().collect())
    }

    /// The call's events up to `position`: from memory, or from the log.
    pub(crate) async fn deltas(&self, log: &Log, id: ModelCallId, position: u64) -> Result<Vec<Delta>, ReadError> {
        match self.known(id, position) {
            Some(events) => decoded(&events),
            None => super::time_travel::deltas(log, id, position).await,
        }
    }
}

impl Calls {
    fn hear(&mut self, id: ModelCallId, event: Arc<Recorded>) {
        if event.sequence == 1 {
            self.by_id.put(id, vec![event]);
        } else if let Some(events) = self.by_id.get_mut(&id) {
            events.push(event);
        } else {
            return;
        }
        self.events += 1;
        while self.events > EVENTS
            && let Some((_, events)) = self.by_id.pop_lru()
        {
            self.events -= events.len();
        }
    }
}

pub(super) fn decoded(events: &[Arc<Recorded>]) -> Result<Vec<Delta>, ReadError> {
    events.iter().map(|event| Ok((event.position, event.recorded_at, event.decode()?))).collect()
}

fn model_call_id(event: &Recorded) -> Option<ModelCallId> {
    Uuid::parse_str(&event.stream.aggregate_id).ok().map(ModelCallId)
}
