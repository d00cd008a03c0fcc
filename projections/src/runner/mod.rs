//! What drives a projection: it alone owns transactions, checkpoints, batching, the failure policy and the lag metric.

pub(crate) mod batch;
pub(crate) mod lease;

use crate::{checkpoint, database::Database, progress::Progress, projection::Projection};
use batch::Outcome;
use docket_eventlog::{Batch, Log, ReadError, Recorded};
use lease::Leases;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How far the checkpoint may lag behind where no event concerns the projection: what a restart has to look through again.
const IDLE: u64 = 10_000;
/// How often a process that stands by looks what the running one has done.
const STAND_BY: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What all runners of a process share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) leases: Arc<Leases>,
    pub(crate) stop: CancellationToken,
}

/// Why a runner stopped running.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("another process runs the projection")]
    Elsewhere,
    #[error("the log: {0}")]
    Log(#[from] ReadError),
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
}

struct Runner<P> {
    projection: P,
    shared: Shared,
    progress: Arc<Progress>,
    pause: Duration,
}

/// Runs the projection until it is told to stop, or the log is closed.
pub(crate) async fn run<P: Projection>(shared: Shared, progress: Arc<Progress>) {
    let stop = shared.stop.clone();
    let mut runner = Runner { projection: P::default(), shared, progress, pause: FIRST_PAUSE };
    while !stop.is_cancelled() {
        let ended = runner.lead().await;
        runner.progress.leading.store(false, Ordering::Relaxed);
        let pause = match ended {
            Ok(()) | Err(Stopped::Log(ReadError::Closed)) => break,
            Err(Stopped::Elsewhere) => {
                runner.shared.leases.release(P::NAME).await;
                if let Err(error) = runner.look().await {
                    tracing::warn!(projection = P::NAME, %error, "cannot see how far the projection is");
                }
                STAND_BY
            }
            Err(error) => {
                tracing::warn!(projection = P::NAME, %error, pause = ?runner.pause, "the projection is tried again");
                let pause = runner.pause;
                runner.pause = (pause * 2).min(LONGEST_PAUSE);
                pause
            }
        };
        runner.projection.reset();
        // A pause, unless we are told to stop: nothing wakes us when a database comes back or another process goes.
        let _ = tokio::time::timeout(pause, stop.cancelled()).await;
    }
}

impl<P: Projection> Runner<P> {
    /// Runs the projection from its checkpoint on.
    async fn lead(&mut self) -> Result<(), Stopped> {
        if !self.shared.leases.acquire(P::NAME).await? {
            return Err(Stopped::Elsewhere);
        }
        let mut tx = self.shared.database.begin().await?;
        let mut saved = checkpoint::load(&mut tx, P::NAME, P::VERSION).await?;
        tx.commit().await?;
        self.progress.leading.store(true, Ordering::Relaxed);
        self.progress.reach(saved);
        let mut reached = saved;
        let mut subscription = self.shared.log.subscribe(saved, P::filter());
        loop {
            // Whatever is there, up to about a thousand: one event when they trickle, a full batch when they pile up.
            let Batch { events, through } = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => break,
                batch = subscription.next() => batch?,
            };
            if !events.is_empty() || through >= saved + IDLE {
                self.save(&events, saved, through).await?;
                saved = through;
            }
            reached = through;
            self.progress.reach(through);
            self.pause = FIRST_PAUSE;
        }
        if reached > saved {
            self.save(&[], saved, reached).await?;
        }
        Ok(())
    }

    async fn save(&mut self, events: &[Arc<Recorded>], from: u64, to: u64) -> Result<(), Stopped> {
        match batch::apply(&self.shared.database, &mut self.projection, events, from, to).await? {
            Outcome::Displaced => Err(Stopped::Elsewhere),
            Outcome::Applied { set_aside } => {
                self.progress.failures.fetch_add(set_aside, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Sees how far the process that runs the projection has brought it: to its checkpoint, and on to the next event that
    /// concerns it.
    async fn look(&mut self) -> Result<(), Stopped> {
        let mut tx = self.shared.database.read().await?;
        let saved = checkpoint::read(&mut tx, P::NAME, P::VERSION).await?;
        tx.rollback().await?;
        let next = self.shared.log.read_all(saved, &P::filter(), 1).await?;
        self.progress.reach(if next.events.is_empty() { next.through.max(saved) } else { saved });
        Ok(())
    }
}
