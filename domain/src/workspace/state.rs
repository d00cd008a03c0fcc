//! The state of a workspace.

use super::event::{ConnectionPath, Transition, WorkspaceEvent};
use crate::ids::{BuildId, ChatId, TemplateId, UserId};
use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WorkspaceStatus {
    /// Made, but never built.
    #[default]
    Created,
    Starting,
    Running,
    Stopping,
    Stopped,
    Deleting,
    Deleted,
    /// The last build failed.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    pub id: BuildId,
    pub transition: Transition,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    pub owner: Option<UserId>,
    pub name: String,
    pub template_id: Option<TemplateId>,
    pub chat_id: Option<ChatId>,
    pub status: WorkspaceStatus,
    pub build: Option<Build>,
    /// SHA-256 of the enrolment token that has not been used yet.
    pub enrolment: Option<String>,
    /// SHA-256 of the token that enrolled `public_key`, so that a daemon that missed the answer may ask again.
    pub enrolled_by: Option<String>,
    pub public_key: Option<String>,
    pub directory: Option<String>,
    pub connected: Option<ConnectionPath>,
    pub failure: Option<String>,
}

impl Workspace {
    pub(super) fn fold(&mut self, event: &WorkspaceEvent) {
        match event {
            WorkspaceEvent::Created { name, owner, template_id, chat_id, .. } => {
                self.owner = Some(*owner);
                self.name.clone_from(name);
                self.template_id = Some(*template_id);
                self.chat_id = *chat_id;
            }
            WorkspaceEvent::BuildStarted { build_id, transition } => {
                self.build = Some(Build { id: *build_id, transition: *transition });
                self.failure = None;
                self.status = match transition {
                    Transition::Start => WorkspaceStatus::Starting,
                    Transition::Stop => WorkspaceStatus::Stopping,
                    Transition::Delete => WorkspaceStatus::Deleting,
                };
            }
            WorkspaceEvent::BuildLogged { .. } => {}
            WorkspaceEvent::BuildFailed { message, .. } => {
                self.build = None;
                self.failure = Some(message.clone());
                self.status = WorkspaceStatus::Failed;
            }
            WorkspaceEvent::EnrolmentIssued { token_sha256 } => self.enrolment = Some(token_sha256.clone()),
            WorkspaceEvent::DaemonEnrolled { public_key } => {
                self.enrolled_by = self.enrolment.take();
                self.public_key = Some(public_key.clone());
            }
            WorkspaceEvent::Started { directory, .. } => {
                self.build = None;
                self.directory = Some(directory.clone());
                self.status = WorkspaceStatus::Running;
            }
            WorkspaceEvent::Stopped { .. } => {
                self.build = None;
                self.status = WorkspaceStatus::Stopped;
            }
            WorkspaceEvent::Deleted { .. } => {
                self.build = None;
                self.enrolment = None;
                self.public_key = None;
                self.status = WorkspaceStatus::Deleted;
            }
            WorkspaceEvent::DaemonConnected { path } => self.connected = Some(*path),
            WorkspaceEvent::DaemonDisconnected { .. } => self.connected = None,
        }
    }
}
