//! The event store of cqrs-es: `CqrsFramework::new(aggregates, queries, context)` works on the log and shares the remembered
//! states.
//!
//! Do not use the snapshot modes of cqrs-es 0.5 (`postgres_snapshot_cqrs`, `postgres_aggregate_cqrs`) on the same database: they
//! apply events twice.

use super::{Aggregates, cache::Cached, encode, stream};
use crate::{
    append::{Append, Expected},
    error::{AppendError, ReadError},
    metadata::from_map,
    recorded::Recorded,
};
use cqrs_es::{Aggregate, AggregateContext, AggregateError, EventEnvelope, EventStore};
use docket_domain::Decide;
use std::collections::HashMap;
use tokio::sync::OwnedMutexGuard;

/// Where cqrs-es's map of strings holds the scope, if any. The rest of the map is metadata as it is stored.
const SCOPE: &str = "scope";

/// An aggregate that is being worked on; nobody else in this process gets it until the commit.
///
/// A handler may change the state and then fail. So the state is taken out of memory here, and only a commit puts it back: dropped
/// without one, the next command reads it from the log.
pub struct Loaded<A> {
    id: String,
    cached: Cached<A>,
    slot: OwnedMutexGuard<Option<Cached<A>>>,
}

impl<A> std::fmt::Debug for Loaded<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("id", &self.id).field("sequence", &self.cached.sequence).finish_non_exhaustive()
    }
}

impl<A: Aggregate> AggregateContext<A> for Loaded<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.cached.state
    }
}

impl<A> EventStore<A> for Aggregates<A>
where
    A: Decide + Aggregate<Event = <A as Decide>::Event>,
{
    type AC = Loaded<A>;

    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let (stream, mut envelopes) = (stream::<A>(aggregate_id), Vec::new());
        loop {
            let after = envelopes.len() as u64;
            let rows = self.log.read_stream_rows(&stream, after, 1000).await.map_err(unread)?;
            for recorded in &rows.events {
                envelopes.push(envelope(recorded)?);
            }
            if rows.complete {
                return Ok(envelopes);
            }
        }
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Loaded<A>, AggregateError<A::Error>> {
        let mut slot = self.cache.slot(aggregate_id).lock_owned().await;
        self.refreshed(&mut slot, &stream::<A>(aggregate_id)).await.map_err(unread)?;
        Ok(Loaded { id: aggregate_id.to_owned(), cached: slot.take().unwrap_or_default(), slot })
    }

    async fn commit(
        &self,
        events: Vec<<A as Aggregate>::Event>,
        mut context: Loaded<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        if events.is_empty() {
            *context.slot = Some(context.cached);
            return Ok(Vec::new());
        }
        let before = context.cached.sequence;
        let stream = stream::<A>(&context.id);
        let append = Append {
            stream: stream.clone(),
            scope: metadata.get(SCOPE).map(|scope| scope.parse()).transpose().map_err(undecodable)?,
            expected: Expected::after(before),
            events: encode(&events).map_err(undecodable)?,
            blobs: Vec::new(),
            metadata: from_map(&metadata).map_err(undecodable)?,
        };
        let appended = match self.log.append(append).await {
            Ok(appended) if appended.repeated => return Ok(Vec::new()),
            Ok(appended) => appended,
            Err(AppendError::Conflict { .. }) => return Err(AggregateError::AggregateConflict),
            Err(error) => return Err(AggregateError::DatabaseConnectionError(Box::new(error))),
        };
        (context.cached.position, context.cached.sequence) = (appended.last_position, appended.last_sequence);
        self.snapshot_if_due(&stream, &mut context.cached);
        *context.slot = Some(context.cached);
        let envelope = |(sequence, payload)| EventEnvelope {
            aggregate_id: context.id.clone(),
            sequence: usize::try_from(sequence).unwrap_or(usize::MAX),
            payload,
            metadata: metadata.clone(),
        };
        Ok((before + 1..).zip(events).map(envelope).collect())
    }
}

fn envelope<A: Aggregate>(recorded: &Recorded) -> Result<EventEnvelope<A>, AggregateError<A::Error>> {
    Ok(EventEnvelope {
        aggregate_id: recorded.stream.aggregate_id.to_string(),
        sequence: usize::try_from(recorded.sequence).map_err(undecodable)?,
        payload: recorded.decode().map_err(unread)?,
        metadata: serde_json::from_slice(&recorded.metadata).map_err(undecodable)?,
    })
}

fn unread<E: std::error::Error>(error: ReadError) -> AggregateError<E> {
    match error {
        ReadError::Decode { .. } => AggregateError::DeserializationError(Box::new(error)),
        ReadError::Closed | ReadError::Storage { .. } | ReadError::Segment { .. } => {
            AggregateError::DatabaseConnectionError(Box::new(error))
        }
    }
}

fn undecodable<E: std::error::Error>(error: impl std::error::Error + Send + Sync + 'static) -> AggregateError<E> {
    AggregateError::DeserializationError(Box::new(error))
}
