//! The running projections, and the way to what they show.

use crate::{
    audit_log::AuditReads,
    build::builder::Builder,
    chat::{ChatReads, Chats, LiveCalls},
    database::Database,
    error::{Behind, ProjectionError},
    failure::{self, Failure},
    generation,
    progress::Progress,
    projection::Projection,
    runner::{Shared, lease::Leases},
    set::Set,
    status::{self, Status},
    templates::{TemplateReads, Templates},
    usage::{Usage, UsageReads},
    users::{UserReads, Users},
    view::View,
    workspaces::{WorkspaceReads, Workspaces},
};
use docket_eventlog::Log;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a start on an empty log waits for its views, which are empty too: so nobody is refused who comes first.
const EMPTY: Duration = Duration::from_secs(10);

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
        set.begin_all(&database).await?;
        let head = log.head().await?;
        let live = Arc::new(LiveCalls::new(head));
        let shared = Shared {
            log,
            leases: Arc::new(Leases::new(&database)),
            database,
            stop: CancellationToken::new(),
            wanted: Arc::new(Notify::new()),
            switched: Arc::new(watch::Sender::new(())),
        };
        let tasks = TaskTracker::new();
        tasks.spawn(live.clone().listen(shared.log.clone(), shared.stop.clone()));
        let mut all = Vec::new();
        for member in &set.members {
            let progress = Arc::new(Progress::new(member.name, member.version));
            tasks.spawn((member.run)(shared.clone(), progress.clone()));
            all.push(progress);
        }
        let progress: Arc<[_]> = all.into();
        tasks.spawn(Builder { set: set.clone(), shared: shared.clone(), progress: progress.clone() }.run());
        tasks.close();
        let chats = progress.iter().find(|progress| progress.name == Chats::NAME).cloned();
        let chats = chats.unwrap_or_else(|| Arc::new(Progress::new(Chats::NAME, Chats::VERSION)));
        let projections = Self { shared, progress, chats, live, tasks };
        if head == 0
            && let Err(error) = projections.wait_for(0, EMPTY).await
        {
            tracing::warn!(%error, "the views are not there yet; reads are refused until they are");
        }
        Ok(projections)
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

    /// How each projection is.
    ///
    /// # Errors
    /// When the log or the database cannot be read.
    pub async fn status(&self) -> Result<Vec<Status>, ProjectionError> {
        status::of(&self.shared, &self.progress).await
    }

    /// The events that are missing in what readers get, the oldest first: of one projection, or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn failures(&self, projection: Option<&str>, limit: u64) -> Result<Vec<Failure>, ProjectionError> {
        Ok(failure::of_live(&self.shared.database, projection, limit).await?)
    }

    /// Has a projection built anew from position 0, beside what is read; gives the number of the generation. Where one is being
    /// built already, it is that one.
    ///
    /// # Errors
    /// When there is no such projection, or the database cannot be written.
    pub async fn rebuild(&self, name: &str) -> Result<u64, ProjectionError> {
        let progress = self.progress.iter().find(|progress| progress.name == name);
        let progress = progress.ok_or_else(|| ProjectionError::Unknown(name.to_owned()))?;
        let generation = generation::begin(&self.shared.database, progress.name, progress.version).await?;
        self.shared.wanted.notify_one();
        Ok(generation.number)
    }

    /// Tries again what was set aside: the one at `position`, or any.
    ///
    /// Later events may already have changed the rows that it concerns, and applying it now would give rows that no order of the log
    /// gives. So the whole projection is built anew, and every event has its turn in its place.
    ///
    /// # Errors
    /// When there is no such projection or failure, or the database cannot be used.
    pub async fn retry(&self, name: &str, position: Option<u64>) -> Result<u64, ProjectionError> {
        let progress = self.progress.iter().find(|progress| progress.name == name);
        let projection = progress.ok_or_else(|| ProjectionError::Unknown(name.to_owned()))?.name;
        if !failure::is_there(&self.shared.database, projection, position).await? {
            return Err(ProjectionError::NothingToRetry { projection });
        }
        self.rebuild(projection).await
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

    fn view<P: Projection>(&self) -> View {
        View { database: self.shared.database.clone(), projection: P::NAME }
    }

    #[must_use]
    pub fn chats(&self) -> ChatReads {
        ChatReads {
            view: self.view::<Chats>(),
            log: self.shared.log.clone(),
            live: self.live.clone(),
            progress: self.chats.clone(),
        }
    }

    #[must_use]
    pub fn audit_log(&self) -> AuditReads {
        AuditReads { view: self.view::<crate::audit_log::AuditLog>() }
    }

    #[must_use]
    pub fn usage(&self) -> UsageReads {
        UsageReads { view: self.view::<Usage>() }
    }

    #[must_use]
    pub fn workspaces(&self) -> WorkspaceReads {
        WorkspaceReads { view: self.view::<Workspaces>() }
    }

    #[must_use]
    pub fn templates(&self) -> TemplateReads {
        TemplateReads { view: self.view::<Templates>() }
    }

    #[must_use]
    pub fn users(&self) -> UserReads {
        UserReads { view: self.view::<Users>() }
    }
}
