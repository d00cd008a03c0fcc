//! Builds of workspaces: start, stop, delete. A build under way at a crash is run again at the next start.

use crate::{control::Control, enrolment::EnrolmentToken, error::CommandError};
use docket_domain::{
    Metadata,
    ids::{BuildId, UserId, WorkspaceId},
    workspace::{Transition, WorkspaceCommand, WorkspaceStatus},
};
use docket_workspaces::{Daemon, StartSpec};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::{mpsc, watch};

/// Lines of a build log that wait to be recorded.
const LOG_BUFFER: usize = 256;

type Outcome = Option<Result<(), BuildError>>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the workspace was not built: {0}")]
    Failed(String),
    #[error("the control plane is shutting down; the build goes on at its next start")]
    ShuttingDown,
}

/// Builds under way in this process, each once.
#[derive(Debug, Default)]
pub struct Builds {
    under_way: Mutex<HashMap<WorkspaceId, (Transition, watch::Receiver<Outcome>)>>,
}

impl Control {
    /// Goes on with what was under way when the last process ended.
    pub(crate) fn resume_builds(&self) {
        for (id, transition) in self.directory.open_builds() {
            let owner = self.directory.workspace(id).map_or(UserId::SYSTEM, |entry| entry.owner);
            let metadata = Metadata::new(docket_domain::actor::Actor::System, owner);
            let control = self.clone();
            self.tasks.spawn(async move {
                if let Err(error) = control.build(id, transition, metadata).await {
                    tracing::warn!(%error, workspace = %id, "an unfinished build did not succeed");
                }
            });
        }
    }

    /// Builds a workspace and waits for the end. A second caller joins the build that is under way.
    ///
    /// # Errors
    /// What the build failed with; it is recorded, too.
    pub async fn build(&self, id: WorkspaceId, transition: Transition, metadata: Metadata) -> Result<(), BuildError> {
        loop {
            let (same, mut outcome) = {
                let mut under_way = self.builds.under_way.lock().unwrap_or_else(PoisonError::into_inner);
                match under_way.get(&id) {
                    Some((running, outcome)) => (*running == transition, outcome.clone()),
                    None => {
                        let (done, outcome) = watch::channel(None);
                        under_way.insert(id, (transition, outcome.clone()));
                        let (control, metadata) = (self.clone(), metadata.clone());
                        self.tasks.spawn(async move {
                            let result = tokio::select! {
                                () = control.shutdown.cancelled() => Err(BuildError::ShuttingDown),
                                result = control.run_build(id, transition, metadata) => result,
                            };
                            control.builds.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                            done.send_replace(Some(result));
                        });
                        (true, outcome)
                    }
                }
            };
            let ended = match outcome.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
                Err(_) => Err(BuildError::ShuttingDown),
            };
            if same {
                return ended;
            }
        }
    }

    async fn run_build(&self, id: WorkspaceId, transition: Transition, metadata: Metadata) -> Result<(), BuildError> {
        let fault = |error: CommandError| BuildError::Failed(error.to_string());
        let under_way = self.workspaces.read(id.0, |workspace, _| workspace.build.clone()).await;
        let under_way = under_way.map_err(|error| fault(error.into()))?;
        let build_id = match under_way {
            Some(build) if build.transition == transition => build.id,
            _ => {
                let build_id = BuildId(self.clock.context().id);
                let command = WorkspaceCommand::StartBuild { build_id, transition };
                self.workspace(id, metadata.clone(), command).await.map_err(fault)?;
                build_id
            }
        };
        let done = match transition {
            Transition::Start => self.start_workspace(id, build_id, &metadata).await,
            Transition::Stop => self.provisioner.stop(id).await.map(|()| String::new()).map_err(|error| error.to_string()),
            Transition::Delete => self.provisioner.delete(id).await.map(|()| String::new()).map_err(|error| error.to_string()),
        };
        match done {
            Ok(directory) => {
                let command = WorkspaceCommand::FinishBuild { build_id, directory };
                self.workspace(id, metadata, command).await.map_err(fault)?;
                if transition == Transition::Delete {
                    self.hub.forget(id).await;
                }
                Ok(())
            }
            Err(message) => {
                if transition == Transition::Start
                    && let Err(error) = self.provisioner.stop(id).await
                {
                    tracing::warn!(%error, workspace = %id, "what was left of a failed build could not be stopped");
                }
                let command = WorkspaceCommand::FailBuild { build_id, message: message.clone() };
                self.workspace(id, metadata, command).await.map_err(fault)?;
                Err(BuildError::Failed(message))
            }
        }
    }

    /// Brings the daemon up and waits for its connection. Answers with the workspace's directory.
    async fn start_workspace(&self, id: WorkspaceId, build_id: BuildId, metadata: &Metadata) -> Result<String, String> {
        let enrolled = self.workspaces.read(id.0, |workspace, _| workspace.public_key.is_some()).await;
        let token = if enrolled.map_err(|error| error.to_string())? {
            None
        } else {
            let token = EnrolmentToken::fresh(id);
            let command = WorkspaceCommand::IssueEnrolment { token_sha256: token.sha256 };
            self.workspace(id, metadata.clone(), command).await.map_err(|error| error.to_string())?;
            Some(token.text)
        };
        let (lines, recorded) = mpsc::channel(LOG_BUFFER);
        let recorder = tokio::spawn(self.clone().record_lines(id, build_id, metadata.clone(), recorded));
        let spec = StartSpec { workspace_id: id, control_plane_url: self.settings.url.clone(), token };
        let started = self.provisioner.start(spec, move |line| drop(lines.try_send(line))).await;
        // The callback is gone, so the recorder ends with the last line.
        let _ = recorder.await;
        started.map_err(|error| error.to_string())?;
        let daemon = self.hub.daemon(id, self.settings.build_timeout).await.map_err(|error| error.to_string())?;
        let described = daemon.metadata().await.map_err(|error| error.to_string())?;
        Ok(described.directory)
    }

    async fn record_lines(self, id: WorkspaceId, build_id: BuildId, metadata: Metadata, mut lines: mpsc::Receiver<String>) {
        while let Some(line) = lines.recv().await {
            if let Err(error) = self.workspace(id, metadata.clone(), WorkspaceCommand::Log { build_id, line }).await {
                tracing::warn!(%error, workspace = %id, "a line of a build log was not recorded");
            }
        }
    }

    /// The daemon of a workspace, which is started where it is not running. The connection is lazy: this is what opens it.
    ///
    /// # Errors
    /// A text that tells what is wrong.
    pub(crate) async fn daemon(&self, id: WorkspaceId, metadata: &Metadata) -> Result<Daemon, String> {
        let status = self.workspaces.read(id.0, |workspace, _| workspace.status).await;
        match status.map_err(|error| error.to_string())? {
            WorkspaceStatus::Deleted | WorkspaceStatus::Deleting => {
                return Err("the workspace was deleted; create_workspace makes a new one".to_owned());
            }
            WorkspaceStatus::Running => {
                // A daemon that is alive comes back by itself; one that is gone is started again.
                if self.provisioner.is_running(id).await {
                    return self.hub.daemon(id, self.settings.reattach_timeout).await.map_err(|error| error.to_string());
                }
            }
            WorkspaceStatus::Created
            | WorkspaceStatus::Starting
            | WorkspaceStatus::Stopping
            | WorkspaceStatus::Stopped
            | WorkspaceStatus::Failed => {}
        }
        self.build(id, Transition::Start, metadata.clone()).await.map_err(|error| error.to_string())?;
        self.hub.daemon(id, self.settings.reattach_timeout).await.map_err(|error| error.to_string())
    }
}
