//! One batch of events: one transaction, with the checkpoint in it.

use crate::{
    checkpoint::{self, FailedEvent},
    database::{Database, Transaction},
    error::ApplyError,
    projection::Projection,
};
use docket_eventlog::Recorded;
use std::sync::Arc;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Applied, but for so many events that were set aside.
    Applied { set_aside: u64 },
    /// Another process has moved the checkpoint; nothing was written.
    Displaced,
}

/// Applies the events after the checkpoint `from`, and moves it to `to`.
///
/// # Errors
/// Only faults of the database; then nothing was written, and the projection was reset.
pub(crate) async fn apply<P: Projection>(
    database: &Database,
    projection: &mut P,
    events: &[Arc<Recorded>],
    from: u64,
    to: u64,
) -> Result<Outcome, sqlx::Error> {
    match together(database, projection, events, from, to).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            projection.reset();
            if !error.is_poison() {
                return Err(fault(error));
            }
            // Whose fault it is shows when they go one by one.
            let outcome = one_by_one(database, projection, events, from, to).await;
            outcome.map_err(|error| {
                projection.reset();
                fault(error)
            })
        }
    }
}

async fn together<P: Projection>(
    database: &Database,
    projection: &mut P,
    events: &[Arc<Recorded>],
    from: u64,
    to: u64,
) -> Result<Outcome, ApplyError> {
    let Some(mut tx) = begin::<P>(database, from, to).await? else { return Ok(Outcome::Displaced) };
    if !events.is_empty() {
        projection.apply(&mut tx, events).await?;
    }
    tx.commit().await?;
    Ok(Outcome::Applied { set_aside: 0 })
}

async fn one_by_one<P: Projection>(
    database: &Database,
    projection: &mut P,
    events: &[Arc<Recorded>],
    from: u64,
    to: u64,
) -> Result<Outcome, ApplyError> {
    let Some(mut tx) = begin::<P>(database, from, to).await? else { return Ok(Outcome::Displaced) };
    let mut set_aside = 0;
    for event in events {
        tx.execute("SAVEPOINT event", vec![]).await?;
        match projection.apply(&mut tx, std::slice::from_ref(event)).await {
            Ok(()) => {}
            Err(error) if error.is_poison() => {
                projection.reset();
                tx.execute("ROLLBACK TO SAVEPOINT event", vec![]).await?;
                tracing::error!(
                    projection = P::NAME, position = event.position, event_type = &*event.event_type, %error,
                    "an event cannot be projected and is set aside"
                );
                checkpoint::set_aside(&mut tx, &failed::<P>(event, &error)).await?;
                set_aside += 1;
            }
            Err(error) => return Err(error),
        }
        tx.execute("RELEASE SAVEPOINT event", vec![]).await?;
    }
    tx.commit().await?;
    Ok(Outcome::Applied { set_aside })
}

/// A transaction that holds the checkpoint: from here on until its end nobody else can move it.
async fn begin<P: Projection>(database: &Database, from: u64, to: u64) -> Result<Option<Transaction>, ApplyError> {
    let mut tx = database.begin().await?;
    if checkpoint::advance(&mut tx, P::NAME, P::VERSION, from, to).await? {
        return Ok(Some(tx));
    }
    tx.rollback().await?;
    Ok(None)
}

fn failed<P: Projection>(event: &Recorded, error: &ApplyError) -> FailedEvent {
    FailedEvent {
        projection: P::NAME.to_owned(),
        version: P::VERSION.into(),
        position: event.position,
        event_type: event.event_type.to_string(),
        error: error.to_string(),
    }
}

fn fault(error: ApplyError) -> sqlx::Error {
    match error {
        ApplyError::Database(error) => error,
        other => sqlx::Error::Protocol(other.to_string()),
    }
}
