//! The task of a process that builds what is to be built, and drops what was replaced.

use super::{BuildError, together};
use crate::{
    failure,
    generation::{self, Generation, Role},
    progress::Progress,
    projection::drop_tables,
    runner::{Shared, lease::Leases},
    set::{Member, Set},
};
use std::{sync::Arc, time::Duration};

/// How often another process' wish is looked for.
const LOOK: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Builder {
    pub(crate) set: Set,
    pub(crate) shared: Shared,
    pub(crate) progress: Arc<[Arc<Progress>]>,
}

impl Builder {
    /// Builds until it is told to stop.
    pub(crate) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = tokio::select! {
                () = self.shared.stop.cancelled() => return,
                ended = self.round() => ended,
            };
            let fault = ended.as_ref().err().map(ToString::to_string);
            self.progress.iter().for_each(|progress| progress.build_fault.set(fault.clone()));
            let wait = match &ended {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    // Where nobody else can ask for a generation, we are woken.
                    if matches!(*self.shared.leases, Leases::Sole) { Duration::MAX } else { LOOK }
                }
                Err(error) => {
                    tracing::warn!(%error, ?pause, "views cannot be built; it is tried again");
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            };
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                () = self.shared.wanted.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does all there is to do now.
    async fn round(&self) -> Result<(), BuildError> {
        let mut tx = self.shared.database.read().await?;
        let all = generation::all(&mut tx).await?;
        tx.rollback().await?;
        let mut jobs = Vec::new();
        for generation in all {
            let Some(member) = self.set.members.iter().find(|member| member.name == generation.projection) else { continue };
            match generation.role {
                Role::Building if generation.version == member.version => {
                    if self.shared.leases.acquire(member.name, member.version).await? {
                        jobs.push((member.clone(), generation));
                    }
                }
                // Begun by a program of another version that is gone.
                Role::Building if self.shared.leases.is_free(member.name, generation.version).await? => {
                    generation.retire(&self.shared.database).await?;
                    self.drop(member, generation).await?;
                }
                Role::Retired => self.drop(member, generation).await?,
                Role::Building | Role::Live | Role::Dropped => {}
            }
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let head = self.shared.log.head().await?;
        let built = together(&self.set, &self.shared.log, &self.shared.database, jobs, head).await;
        // Where one failed, others may have been done.
        self.shared.switched.send_replace(());
        for built in built? {
            tracing::info!(
                projection = built.projection,
                events = built.events,
                position = built.position,
                "a new generation is live"
            );
        }
        // What they replaced goes in the next round.
        self.shared.wanted.notify_one();
        Ok(())
    }

    async fn drop(&self, member: &Member, generation: Generation) -> Result<(), BuildError> {
        let database = &self.shared.database;
        database.readers_gone().await?;
        let mut tx = database.begin().await?.on(&generation);
        drop_tables(member.tables, &mut tx).await?;
        failure::forget(&mut tx, &generation).await?;
        generation.dropped(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
