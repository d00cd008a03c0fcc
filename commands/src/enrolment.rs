//! Who a daemon is: one-time tokens and enrolled keys, kept in the workspaces' own streams.

use crate::control::Control;
use async_trait::async_trait;
use docket_domain::{
    Metadata,
    actor::Actor,
    ids::{UserId, WorkspaceId},
    workspace::{WorkspaceCommand, WorkspaceStatus, event::ConnectionPath},
};
use docket_workspaces::{PathKind, Refused, Registry};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::{sync::OnceLock, time::Duration};
use uuid::Uuid;

/// A daemon that has just enrolled may ask before the directory has seen it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A one-time token: it names its workspace, so that no index of tokens is needed.
#[derive(Debug)]
pub(crate) struct EnrolmentToken {
    pub(crate) text: String,
    pub(crate) sha256: String,
}

impl EnrolmentToken {
    pub(crate) fn fresh(workspace: WorkspaceId) -> Self {
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        let text = format!("{}.{}", workspace.0.simple(), hex::encode(secret));
        let sha256 = sha256(&text);
        Self { text, sha256 }
    }
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The hub asks before the control is there, at most for an instant: then it is told to ask again.
#[derive(Debug, Default)]
pub struct Enrolment {
    control: OnceLock<Control>,
}

impl Enrolment {
    pub(crate) fn attach(&self, control: Control) {
        // Attached once, by the one start of the control.
        let _ = self.control.set(control);
    }
}

impl Control {
    /// What a workspace's daemon does is done on behalf of the workspace's owner.
    async fn as_daemon(&self, id: WorkspaceId) -> Metadata {
        let owner = self.workspaces.read(id.0, |workspace, _| workspace.owner).await.ok().flatten();
        Metadata::new(Actor::Workspace(id), owner.unwrap_or(UserId::SYSTEM))
    }

    async fn enrol(&self, token: &str, public_key: &str) -> Result<WorkspaceId, Refused> {
        let id = token.split_once('.').and_then(|(id, _)| Uuid::parse_str(id).ok());
        let id = WorkspaceId(id.ok_or(Refused::UnknownToken)?);
        let deleted = self.workspaces.read(id.0, |workspace, _| workspace.status == WorkspaceStatus::Deleted).await;
        if deleted.map_err(|_| Refused::Unavailable)? {
            return Err(Refused::Deleted);
        }
        let command = WorkspaceCommand::Enrol { token_sha256: sha256(token), public_key: public_key.to_owned() };
        match self.workspace(id, self.as_daemon(id).await, command).await {
            Ok(_) => Ok(id),
            Err(error) if error.refusal().is_some() => Err(Refused::UnknownToken),
            Err(error) => {
                tracing::error!(%error, workspace = %id, "a daemon could not be enrolled");
                Err(Refused::Unavailable)
            }
        }
    }
}

#[async_trait]
impl Registry for Enrolment {
    async fn enrol(&self, token: &str, public_key: &str) -> Result<WorkspaceId, Refused> {
        self.control.get().ok_or(Refused::Unavailable)?.enrol(token, public_key).await
    }

    async fn workspace_of(&self, public_key: &str) -> Option<WorkspaceId> {
        let control = self.control.get()?;
        if let Some(id) = control.directory.workspace_of_key(public_key) {
            return Some(id);
        }
        let head = control.log.head().await.ok()?;
        tokio::time::timeout(PATIENCE, control.directory.reached(head)).await.ok()?;
        control.directory.workspace_of_key(public_key)
    }

    async fn was_deleted(&self, public_key: &str) -> bool {
        self.control.get().is_some_and(|control| control.directory.was_deleted(public_key))
    }

    async fn connected(&self, workspace: WorkspaceId, path: PathKind) {
        let path = match path {
            PathKind::Relay => ConnectionPath::Relay,
            PathKind::Direct => ConnectionPath::Direct,
        };
        self.record(workspace, WorkspaceCommand::Connect { path }).await;
    }

    async fn disconnected(&self, workspace: WorkspaceId, reason: &str) {
        self.record(workspace, WorkspaceCommand::Disconnect { reason: reason.to_owned() }).await;
    }
}

impl Enrolment {
    async fn record(&self, id: WorkspaceId, command: WorkspaceCommand) {
        let Some(control) = self.control.get() else { return };
        if let Err(error) = control.workspace(id, control.as_daemon(id).await, command).await {
            tracing::warn!(%error, workspace = %id, "a change of a workspace's connection was not recorded");
        }
    }
}
