//! Workspaces as processes on this machine, each confined to a directory of its own.

mod bubblewrap;
mod confinement;
mod layout;
mod pid;
mod program;

use confinement::Confinement;
use docket_domain::ids::WorkspaceId;
use layout::Layout;
use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

/// A daemon that does not find the control plane for so long ends, and all of its workspace with it.
const EXIT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// What fails at once is told at once.
const FIRST_LOOK: Duration = Duration::from_millis(300);
const LOG_TAIL: usize = 2_000;

/// What a provisioner is made of.
#[derive(Clone, Debug)]
pub struct ProvisionerConfig {
    /// Each workspace has a directory here.
    pub root: PathBuf,
    /// The daemon's program.
    pub daemon: PathBuf,
    /// What no workspace may see: the data folder, for example.
    pub hide: Vec<PathBuf>,
    /// Make workspaces also where nothing can confine them.
    pub allow_unconfined: bool,
}

/// What a workspace is started with.
#[derive(Clone, Debug)]
pub struct StartSpec {
    /// Which workspace.
    pub workspace_id: WorkspaceId,
    /// Where its daemon dials.
    pub control_plane_url: String,
    /// Until the daemon is enrolled.
    pub token: Option<String>,
}

/// Why a workspace was not started, stopped or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The daemon's program is missing.
    #[error("the workspace daemon {0} is missing; build it with `cargo build -p docket-workspaced`")]
    NoDaemon(PathBuf),
    /// Nothing confines processes here.
    #[error(
        "workspaces on this machine cannot be confined ({0}). Use a kernel with Landlock or install bubblewrap; or allow \
         unconfined workspaces, which can read all that this user can"
    )]
    Unconfined(String),
    /// The daemon ended at once.
    #[error("the workspace daemon ended at once: {0}")]
    Ended(String),
    /// It could not be ended.
    #[error("the workspace's processes could not be ended")]
    StillRunning,
    /// Files and processes of the system.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
}

/// Makes workspaces as processes on this machine. They outlive the control plane and are found again by the next.
#[derive(Debug)]
pub struct ProcessProvisioner {
    config: ProvisionerConfig,
    exit_after: Duration,
    bubblewrap: bool,
    landlock: bool,
    confinement: OnceCell<Confinement>,
    busy: Mutex<HashMap<WorkspaceId, Arc<AsyncMutex<()>>>>,
}

impl ProcessProvisioner {
    /// Touches nothing yet.
    #[must_use]
    pub fn new(config: ProvisionerConfig) -> Self {
        Self {
            config,
            exit_after: EXIT_AFTER,
            bubblewrap: true,
            landlock: true,
            confinement: OnceCell::new(),
            busy: Mutex::default(),
        }
    }

    /// How long daemons look for a control plane that is gone.
    #[must_use]
    pub fn exit_after(self, exit_after: Duration) -> Self {
        Self { exit_after, ..self }
    }

    /// Which means of confinement are used where they work.
    #[must_use]
    pub fn using(self, bubblewrap: bool, landlock: bool) -> Self {
        Self { bubblewrap, landlock, ..self }
    }

    /// Starts a workspace's daemon, unless it runs. `log` gets the lines of the build log.
    ///
    /// # Errors
    /// See [`ProvisionError`].
    pub async fn start(&self, spec: StartSpec, log: impl Fn(String) + Send) -> Result<(), ProvisionError> {
        let busy = self.busy(spec.workspace_id);
        let _alone = busy.lock().await;
        let layout = Layout::new(&self.config.root, spec.workspace_id)?;
        if pid::read(&layout).is_some_and(|known| known.runs()) {
            log("the daemon runs already".to_owned());
            return Ok(());
        }
        if !self.config.daemon.is_file() {
            return Err(ProvisionError::NoDaemon(self.config.daemon.clone()));
        }
        let confinement =
            self.confinement.get_or_try_init(|| Confinement::find(&self.config, self.bubblewrap, self.landlock)).await?;
        log(format!("confinement: {confinement}"));
        layout.make()?;
        if let Some(token) = &spec.token {
            layout.write_token(token)?;
        }
        log(format!("workspace directory: {}", layout.home().display()));
        let mut command = program::command(&self.config, &layout, confinement, &spec.control_plane_url, self.exit_after)?;
        // Files that this process was itself given are not marked so already.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let mut child = command.spawn().map_err(|error| ProvisionError::Io("the daemon could not be started", error))?;
        let recorded = child.id().map(|id| pid::write(&layout, id));
        recorded.transpose().map_err(|error| ProvisionError::Io("the daemon's pid could not be recorded", error))?;
        if let Ok(Ok(status)) = tokio::time::timeout(FIRST_LOOK, child.wait()).await {
            pid::remove(&layout);
            return Err(ProvisionError::Ended(format!("{status}: {}", tail(&layout))));
        }
        // Reaped when it ends while this control plane runs.
        tokio::spawn(async move { child.wait().await });
        log("the daemon is started".to_owned());
        Ok(())
    }

    /// Ends a workspace's daemon and all that it started. Its files stay.
    ///
    /// # Errors
    /// When something survives.
    pub async fn stop(&self, workspace: WorkspaceId) -> Result<(), ProvisionError> {
        let busy = self.busy(workspace);
        let _alone = busy.lock().await;
        let layout = Layout::new(&self.config.root, workspace)?;
        if let Some(known) = pid::read(&layout)
            && !known.end().await
        {
            return Err(ProvisionError::StillRunning);
        }
        pid::remove(&layout);
        Ok(())
    }

    /// Stops a workspace and deletes its files.
    ///
    /// # Errors
    /// When something survives.
    pub async fn delete(&self, workspace: WorkspaceId) -> Result<(), ProvisionError> {
        self.stop(workspace).await?;
        let dir = Layout::new(&self.config.root, workspace)?.dir().to_owned();
        let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(dir))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&workspace);
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ProvisionError::Io("the workspace's files", error)),
            _ => Ok(()),
        }
    }

    /// Whether a workspace's daemon runs.
    pub async fn is_running(&self, workspace: WorkspaceId) -> bool {
        Layout::new(&self.config.root, workspace).is_ok_and(|layout| pid::read(&layout).is_some_and(|known| known.runs()))
    }

    fn busy(&self, workspace: WorkspaceId) -> Arc<AsyncMutex<()>> {
        Arc::clone(self.busy.lock().unwrap_or_else(PoisonError::into_inner).entry(workspace).or_default())
    }
}

fn tail(layout: &Layout) -> String {
    let text = fs::read(layout.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let from = text.char_indices().rev().nth(LOG_TAIL).map_or(0, |(at, _)| at);
    text[from..].trim().to_owned()
}
