//! What keeps a live view up to date: it alone owns transactions, checkpoints, batching and the failure policy.

pub(crate) mod batch;
pub(crate) mod lease;

use crate::{
    database::Database,
    generation::{self, Generation},
    progress::Progress,
    projection::Projection,
};
use batch::Outcome;
use docket_eventlog::{Batch, Log, ReadError, Recorded};
use lease::Leases;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{Notify, watch};
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
    /// A generation is to be built.
    pub(crate) wanted: Arc<Notify>,
    /// A generation has become live.
    pub(crate) switched: Arc<watch::Sender<()>>,
}

/// Why a runner stopped running.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("another process runs the projection")]
    Elsewhere,
    #[error("the tables of this version are being built")]
    Building,
    #[error("another generation is live")]
    Displaced,
    #[error("the log: {0}")]
    Log(#[from] ReadError),
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
}

struct Runner<P> {
    projection: P,
    shared: Shared,
    progress: Arc<Progress>,
    switched: watch::Receiver<()>,
    pause: Duration,
}

/// Runs the projection until it is told to stop, or the log is closed.
pub(crate) async fn run<P: Projection>(shared: Shared, progress: Arc<Progress>) {
    let stop = shared.stop.clone();
    let switched = shared.switched.subscribe();
    let mut runner = Runner { projection: P::default(), shared, progress, switched, pause: FIRST_PAUSE };
    while !stop.is_cancelled() {
        let ended = runner.lead().await;
        if !matches!(ended, Err(Stopped::Displaced)) {
            runner.progress.leading.store(false, Ordering::Relaxed);
        }
        let pause = match ended {
            Ok(()) | Err(Stopped::Log(ReadError::Closed)) => break,
            Err(Stopped::Displaced) => Duration::ZERO,
            Err(Stopped::Building) => runner.look().await,
            Err(Stopped::Elsewhere) => {
                runner.shared.leases.release(P::NAME, P::VERSION).await;
                runner.look().await
            }
            Err(error) => runner.failed(&error),
        };
        runner.projection = P::default();
        // A pause, unless we are told to stop: nothing wakes us when a database comes back or another process goes.
        tokio::select! {
            () = stop.cancelled() => {}
            _ = runner.switched.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<P: Projection> Runner<P> {
    /// Runs the projection from its checkpoint on.
    async fn lead(&mut self) -> Result<(), Stopped> {
        self.switched.mark_unchanged();
        let mut live = self.live().await?;
        self.progress.leading.store(true, Ordering::Relaxed);
        self.progress.reach(live.position);
        self.progress.fault.set(None);
        let mut reached = live.position;
        let mut subscription = self.shared.log.subscribe(live.position, P::filter());
        loop {
            // Whatever is there, up to about a thousand: one event when they trickle, a full batch when they pile up.
            let Batch { events, through } = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => break,
                _ = self.switched.changed() => return Err(Stopped::Displaced),
                batch = subscription.next() => batch?,
            };
            if !events.is_empty() || through >= live.position + IDLE {
                self.save(&mut live, &events, through).await?;
            }
            reached = through;
            self.progress.reach(through);
            self.pause = FIRST_PAUSE;
        }
        if reached > live.position {
            self.save(&mut live, &[], reached).await?;
        }
        Ok(())
    }

    /// The live generation, if it is ours to go on with. Where there is none of this version, one is to be built.
    async fn live(&mut self) -> Result<Generation, Stopped> {
        if !self.shared.leases.acquire(P::NAME, P::VERSION).await? {
            return Err(Stopped::Elsewhere);
        }
        let mut tx = self.shared.database.read().await?;
        let live = generation::live(&mut tx, P::NAME).await?;
        tx.rollback().await?;
        match live {
            Some(live) if live.version == P::VERSION => return Ok(live),
            // A newer program is at work elsewhere: it is we who are about to go.
            Some(live) if live.version > P::VERSION && !self.shared.leases.is_free(P::NAME, live.version).await? => {
                return Err(Stopped::Elsewhere);
            }
            _ => {}
        }
        generation::begin_first(&self.shared.database, P::NAME, P::VERSION).await?;
        self.shared.wanted.notify_one();
        Err(Stopped::Building)
    }

    async fn save(&mut self, live: &mut Generation, events: &[Arc<Recorded>], to: u64) -> Result<(), Stopped> {
        match batch::apply(&self.shared.database, &mut self.projection, live, events, to).await? {
            Outcome::Displaced => Err(Stopped::Displaced),
            Outcome::Applied { .. } => Ok(()),
        }
    }

    /// Sees how far others have brought the live generation: to its checkpoint, and on to the next event that concerns it.
    async fn look(&mut self) -> Duration {
        let looked: Result<(), Stopped> = async {
            let mut tx = self.shared.database.read().await?;
            let live = generation::live(&mut tx, P::NAME).await?;
            tx.rollback().await?;
            if let Some(Generation { position, .. }) = live {
                let next = self.shared.log.read_all(position, &P::filter(), 1).await?;
                self.progress.reach(if next.events.is_empty() { next.through.max(position) } else { position });
            }
            self.progress.fault.set(None);
            Ok(())
        }
        .await;
        looked.map_or_else(|error| self.failed(&error), |()| STAND_BY)
    }

    /// Says what is wrong, here and to whoever asks; gives how long to wait.
    fn failed(&mut self, error: &Stopped) -> Duration {
        let pause = self.pause;
        tracing::warn!(projection = P::NAME, %error, ?pause, "the projection is tried again");
        self.progress.fault.set(Some(error.to_string()));
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}
