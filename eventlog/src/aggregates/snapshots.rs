//! Beginning a cold load at a snapshot, and taking snapshots.

use super::{Aggregates, cache::Cached};
use crate::{snapshot, snapshots::Job, stream_id::StreamId};
use docket_domain::Decide;

/// Events of a stream after its last snapshot that make the next one due: what a cold load reads at most, about.
pub(super) const EVERY: u64 = 500;

impl<A: Decide> Aggregates<A> {
    /// The state of the stream's snapshot; the empty one when there is none that can be used.
    pub(super) async fn restored(&self, stream: &StreamId) -> Cached<A> {
        let found = match self.log.find_snapshot(stream, A::STATE_VERSION).await {
            Ok(found) => found,
            Err(error) => {
                // Reading the events will tell whether the database is at fault.
                tracing::warn!(%stream, %error, "a snapshot could not be read");
                None
            }
        };
        let Some(found) = found else { return Cached::default() };
        match found.restore() {
            Ok((state, position)) => {
                self.log.live().counters.snapshots_used.add(1);
                Cached { state, sequence: found.sequence, position, as_of: None, snapshot: found.sequence }
            }
            Err(error) => {
                tracing::warn!(%stream, sequence = found.sequence, %error, "a snapshot is ignored");
                Cached::default()
            }
        }
    }

    /// Takes a snapshot when one is due. The state must hold nothing but durable events. Waits for nobody: when too many are waiting
    /// to be written, the next event is an occasion, too.
    pub(super) fn snapshot_if_due(&self, stream: &StreamId, cached: &mut Cached<A>) {
        if cached.sequence - cached.snapshot < self.snapshot_every {
            return;
        }
        let job = || {
            let state = cached.state.clone();
            Job {
                stream: stream.clone(),
                sequence: cached.sequence,
                state_version: A::STATE_VERSION,
                encode: Box::new(move || snapshot::encode(&state)),
            }
        };
        if self.log.offer_snapshot(job) {
            cached.snapshot = cached.sequence;
        }
    }
}
