//! One batch of events: one transaction, with the checkpoint in it.

use crate::{
    database::{Database, Transaction},
    error::ApplyError,
    failure::{self, Failure},
    generation::Generation,
    projection::Projection,
};
use docket_eventlog::Recorded;
use futures_util::FutureExt as _;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Applied, but for so many events that were set aside.
    Applied { set_aside: u64 },
    /// The checkpoint is not where it was left, or the generation is not what it was; nothing was written.
    Displaced,
}

/// Applies the events after the generation's checkpoint, and moves it to `to`.
///
/// # Errors
/// Only faults of the database; then nothing was written, and the projection begins anew.
pub(crate) async fn apply<P: Projection>(
    database: &Database,
    projection: &mut P,
    generation: &mut Generation,
    events: &[Arc<Recorded>],
    to: u64,
) -> Result<Outcome, sqlx::Error> {
    let outcome = match together(database, projection, generation, events, to).await {
        Err(error) if error.is_poison() => {
            *projection = P::default();
            // Whose fault it is shows when they go one by one.
            one_by_one(database, projection, generation, events, to).await
        }
        outcome => outcome,
    };
    match outcome {
        Ok(Outcome::Applied { .. }) => generation.position = to,
        Ok(Outcome::Displaced) => {}
        Err(_) => *projection = P::default(),
    }
    outcome.map_err(|error| match error {
        ApplyError::Database(error) => error,
        other => sqlx::Error::Protocol(other.to_string()),
    })
}

async fn together<P: Projection>(
    database: &Database,
    projection: &mut P,
    generation: &Generation,
    events: &[Arc<Recorded>],
    to: u64,
) -> Result<Outcome, ApplyError> {
    let Some(mut tx) = begin(database, generation, to).await? else { return Ok(Outcome::Displaced) };
    if !events.is_empty() {
        caught(projection, &mut tx, events).await?;
    }
    tx.commit().await?;
    Ok(Outcome::Applied { set_aside: 0 })
}

async fn one_by_one<P: Projection>(
    database: &Database,
    projection: &mut P,
    generation: &Generation,
    events: &[Arc<Recorded>],
    to: u64,
) -> Result<Outcome, ApplyError> {
    let Some(mut tx) = begin(database, generation, to).await? else { return Ok(Outcome::Displaced) };
    let mut set_aside = 0;
    for event in events {
        tx.execute("SAVEPOINT event", vec![]).await?;
        match caught(projection, &mut tx, std::slice::from_ref(event)).await {
            Ok(()) => {}
            Err(error) if error.is_poison() => {
                *projection = P::default();
                tx.execute("ROLLBACK TO SAVEPOINT event", vec![]).await?;
                tracing::error!(
                    projection = P::NAME, position = event.position, event_type = &*event.event_type, %error,
                    "an event cannot be projected and is set aside"
                );
                let failure = Failure {
                    projection: generation.projection.clone(),
                    generation: generation.number,
                    position: event.position,
                    event_type: event.event_type.to_string(),
                    error: error.to_string(),
                };
                failure::set_aside(&mut tx, &failure).await?;
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
async fn begin(database: &Database, generation: &Generation, to: u64) -> sqlx::Result<Option<Transaction>> {
    let mut tx = database.begin().await?.on(generation);
    if generation.advance(&mut tx, to).await? {
        return Ok(Some(tx));
    }
    tx.rollback().await?;
    Ok(None)
}

/// A panic is the event's fault too: without this it would end the projection, and nobody would see why.
async fn caught<P: Projection>(projection: &mut P, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
    // Whatever it leaves half done is taken back or thrown away.
    let applied = AssertUnwindSafe(projection.apply(tx, events)).catch_unwind().await;
    applied.unwrap_or_else(|panic| Err(ApplyError::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
