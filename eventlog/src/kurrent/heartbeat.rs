//! How other processes see that this one is alive: there are no locks, so it says so every few seconds.

use super::{blobs::Blobs, cell::Cell, connection::Connection, envelope::created};
use crate::{error::ReadError, live::Live};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

const INTERVAL: Duration = Duration::from_secs(2);
/// A process that was not heard of for so long counts as dead. Should it live on, what it appends is fenced by what it expects.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sign {
    Alive,
    Ended,
}

pub(crate) struct Heartbeat {
    blobs: Arc<Blobs>,
    worker: Uuid,
}

fn cell(worker: Uuid) -> Cell {
    Cell::new("worker", worker)
}

impl Heartbeat {
    pub(super) fn new(blobs: Arc<Blobs>, worker: Uuid) -> Self {
        Self { blobs, worker }
    }

    pub(super) async fn beat(&self) -> Result<(), String> {
        cell(self.worker).put(&self.blobs, Sign::Alive, &[]).await
    }

    /// Runs until the log is closed.
    pub(crate) async fn run(self, live: Arc<Live>) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = live.closed.cancelled() => break,
                _ = ticks.tick() => {
                    if let Err(reason) = self.beat().await {
                        tracing::warn!(%reason, "this process could not say that it is alive");
                    }
                }
            }
        }
        // One attempt: without it, the others find out by themselves.
        let _ = cell(self.worker).put(&self.blobs, Sign::Ended, &[]).await;
        self.blobs.appender.close().await;
    }
}

/// Whether a process was heard of lately: by the server's clock, on which `ours` was heard of just now.
pub(super) async fn is_alive(connection: &Connection, ours: Uuid, worker: Uuid) -> Result<bool, ReadError> {
    let (our, their) = (cell(ours), cell(worker));
    let (now, then) = tokio::try_join!(our.get::<Sign>(connection), their.get::<Sign>(connection))?;
    Ok(match (now, then) {
        (Some((_, _, now)), Some((Sign::Alive, _, then))) => created(&now) - created(&then) < PATIENCE.as_micros() as i64,
        _ => false,
    })
}
