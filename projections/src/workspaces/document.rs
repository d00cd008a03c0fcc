//! A workspace as it is shown.

use docket_domain::{
    ids::{ChatId, TemplateId, UserId, WorkspaceId},
    workspace::{Transition, WorkspaceEvent, WorkspaceStatus, event::ConnectionPath},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A workspace. Times are µs since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceDocument {
    #[schema(value_type = Uuid)]
    pub id: WorkspaceId,
    pub name: String,
    #[schema(value_type = Uuid)]
    pub owner: UserId,
    #[schema(value_type = Uuid)]
    pub template_id: TemplateId,
    /// The chat that asked for it, where one did.
    #[schema(value_type = Option<Uuid>)]
    pub chat_id: Option<ChatId>,
    /// `created`, `starting`, `running`, `stopping`, `stopped`, `deleting`, `deleted` or `failed`.
    #[schema(value_type = String)]
    pub status: WorkspaceStatus,
    pub directory: Option<String>,
    /// How its daemon is connected, if it is: `relay` or `direct`.
    #[schema(value_type = Option<String>)]
    pub connected: Option<ConnectionPath>,
    /// Why the last build failed.
    pub failure: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    /// Of the last event that is in this document.
    pub position: u64,
}

impl WorkspaceDocument {
    /// The document of a workspace that begins with this event, if one does.
    pub(super) fn created(id: WorkspaceId, at: i64, event: &WorkspaceEvent) -> Option<Self> {
        let WorkspaceEvent::Created { name, owner, template_id, chat_id, .. } = event else { return None };
        Some(Self {
            id,
            name: name.clone(),
            owner: *owner,
            template_id: *template_id,
            chat_id: *chat_id,
            status: WorkspaceStatus::Created,
            directory: None,
            connected: None,
            failure: None,
            created_at: at,
            updated_at: at,
            position: 0,
        })
    }

    pub(super) fn apply(&mut self, position: u64, at: i64, event: &WorkspaceEvent) {
        self.position = position;
        self.updated_at = at;
        match event {
            WorkspaceEvent::BuildStarted { transition, .. } => {
                self.failure = None;
                self.status = match transition {
                    Transition::Start => WorkspaceStatus::Starting,
                    Transition::Stop => WorkspaceStatus::Stopping,
                    Transition::Delete => WorkspaceStatus::Deleting,
                };
            }
            WorkspaceEvent::BuildFailed { message, .. } => {
                self.failure = Some(message.clone());
                self.status = WorkspaceStatus::Failed;
            }
            WorkspaceEvent::Started { directory, .. } => {
                self.directory = Some(directory.clone());
                self.status = WorkspaceStatus::Running;
            }
            WorkspaceEvent::Stopped { .. } => self.status = WorkspaceStatus::Stopped,
            WorkspaceEvent::Deleted { .. } => self.status = WorkspaceStatus::Deleted,
            WorkspaceEvent::DaemonConnected { path } => self.connected = Some(*path),
            WorkspaceEvent::DaemonDisconnected { .. } => self.connected = None,
            WorkspaceEvent::Created { .. }
            | WorkspaceEvent::BuildLogged { .. }
            | WorkspaceEvent::EnrolmentIssued { .. }
            | WorkspaceEvent::DaemonEnrolled { .. } => {}
        }
    }
}

/// A line of a workspace's builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildLogLine {
    pub position: u64,
    pub recorded_at: i64,
    pub build_id: Uuid,
    pub line: String,
}
