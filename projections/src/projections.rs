//! The running projections, and the way to what they show.

use crate::{
    audit_log::AuditReads,
    chat::{ChatReads, Chats, LiveCalls},
    checkpoint::{self, FailedEvent},
    database::Database,
    error::{Behind, ProjectionError},
    progress::{Lag, Progress},
    projection::Projection as _,
    runner::{Shared, lease::Leases},
    set::Set,
    templates::TemplateReads,
    usage::UsageReads,
    users::UserReads,
    workspaces::WorkspaceReads,
};
use docket_eventlog::Log;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Projections that run until they are stopped. A clone is the same ones.
#[derive(Clone, Debug)]
pub struct Projections {
    shared: Shared,
    progress: Arc<[Arc<Progress>]>,
    chats: Arc<Progress>,
    live: Arc<LiveCalls>,
    tasks: TaskTracker,
}

impl Projections {
    /// Runs all of Docket's projections.
    ///
    /// # Errors
    /// When the tables cannot be made, or the log cannot be read.
    pub async fn start(log: Log, database: Database) -> Result<Self, ProjectionError> {
        Self::start_set(&Set::standard(), log, database).await
    }

    /// Runs the projections of a set. Views of projections that are not in it stay as they are.
    ///
    /// # Errors
    /// When the tables cannot be made, or the log cannot be read.
    pub async fn start_set(set: &Set, log: Log, database: Database) -> Result<Self, ProjectionError> {
        set.prepare(&database).await?;
        let live = Arc::new(LiveCalls::new(log.head().await?));
        let leases = Arc::new(Leases::new(&database));
        let shared = Shared { log, database, leases, stop: CancellationToken::new() };
        let tasks = TaskTracker::new();
        tasks.spawn(live.clone().listen(shared.log.clone(), shared.stop.clone()));
        let mut all = Vec::new();
        for member in &set.members {
            let progress = Arc::new(Progress::new(member.name, member.version));
            tasks.spawn((member.run)(shared.clone(), progress.clone()));
            all.push(progress);
        }
        tasks.close();
        let chats = all.iter().find(|progress| progress.name == Chats::NAME).cloned();
        let chats = chats.unwrap_or_else(|| Arc::new(Progress::new(Chats::NAME, Chats::VERSION)));
        Ok(Self { shared, progress: all.into(), chats, live, tasks })
    }

    /// Waits until every view shows the event at `position`: what was written can be read.
    ///
    /// # Errors
    /// When one is not there in time.
    pub async fn wait_for(&self, position: u64, timeout: Duration) -> Result<(), Behind> {
        let waits = self.progress.iter().map(|progress| progress.wait_for(position, timeout));
        futures_util::future::try_join_all(waits).await.map(drop)
    }

    /// Waits until the views of the projection `name` show the event at `position`.
    ///
    /// # Errors
    /// When it is not there in time. A projection that does not run here never is.
    pub async fn wait_for_one(&self, name: &'static str, position: u64, timeout: Duration) -> Result<(), Behind> {
        match self.progress.iter().find(|progress| progress.name == name) {
            Some(progress) => progress.wait_for(position, timeout).await,
            None => Err(Behind { projection: name, reached: 0, wanted: position }),
        }
    }

    /// How far each projection is behind the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lags(&self) -> Result<Vec<Lag>, ProjectionError> {
        let head = self.shared.log.head().await?;
        Ok(self.progress.iter().map(|progress| progress.lag(head)).collect())
    }

    /// The events that were set aside, the newest first: of one projection, or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn failures(&self, projection: Option<&str>, limit: u64) -> Result<Vec<FailedEvent>, ProjectionError> {
        checkpoint::failures(&self.shared.database, projection, limit).await
    }

    /// Stops; returns when the last transaction is done. The database stays open for reading.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.tasks.wait().await;
        self.shared.leases.close().await;
    }

    #[must_use]
    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    #[must_use]
    pub fn chats(&self) -> ChatReads {
        ChatReads {
            database: self.shared.database.clone(),
            log: self.shared.log.clone(),
            live: self.live.clone(),
            progress: self.chats.clone(),
        }
    }

    #[must_use]
    pub fn audit_log(&self) -> AuditReads {
        AuditReads { database: self.shared.database.clone() }
    }

    #[must_use]
    pub fn usage(&self) -> UsageReads {
        UsageReads { database: self.shared.database.clone() }
    }

    #[must_use]
    pub fn workspaces(&self) -> WorkspaceReads {
        WorkspaceReads { database: self.shared.database.clone() }
    }

    #[must_use]
    pub fn templates(&self) -> TemplateReads {
        TemplateReads { database: self.shared.database.clone() }
    }

    #[must_use]
    pub fn users(&self) -> UserReads {
        UserReads { database: self.shared.database.clone() }
    }
}
