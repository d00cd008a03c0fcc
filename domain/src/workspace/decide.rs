//! The decisions of a workspace.

use super::{
    command::WorkspaceCommand,
    event::{Transition, WorkspaceEvent},
    state::{Workspace, WorkspaceStatus},
};
use crate::{
    aggregate::{Context, Decide, Refusal, RefusalKind},
    ids::BuildId,
};

/// The longest name of a workspace, in characters.
pub const MAX_NAME: usize = 64;
/// The longest line of a build log that is kept, in bytes; the rest is cut.
pub const MAX_LOG_LINE: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum WorkspaceRefusal {
    #[error("there is no such workspace")]
    WorkspaceNotFound,
    #[error("a workspace with this id exists already")]
    WorkspaceExists,
    #[error("the workspace was deleted")]
    WorkspaceDeleted,
    #[error("name: 1 to {MAX_NAME} lower-case letters, digits and hyphens, beginning with a letter")]
    NameInvalid,
    #[error("a build of the workspace is under way")]
    BuildUnderWay,
    #[error("there is no such build under way")]
    BuildNotFound,
    #[error("the enrolment token is not valid, or was used already")]
    EnrolmentRefused,
}

impl Refusal for WorkspaceRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::WorkspaceNotFound => RefusalKind::NotFound,
            Self::NameInvalid => RefusalKind::Invalid,
            Self::EnrolmentRefused => RefusalKind::Forbidden,
            Self::WorkspaceExists | Self::WorkspaceDeleted | Self::BuildUnderWay | Self::BuildNotFound => RefusalKind::Conflict,
        }
    }
}

impl Decide for Workspace {
    const KIND: &'static str = "workspace";
    const STATE_VERSION: u32 = 1;
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Refusal = WorkspaceRefusal;

    fn decide(&self, command: WorkspaceCommand, _: &Context) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        if let WorkspaceCommand::Create { name, owner, template_id, chat_id, parameters } = command {
            return self.create(WorkspaceEvent::Created { name, owner, template_id, chat_id, parameters });
        }
        if self.owner.is_none() {
            return Err(WorkspaceRefusal::WorkspaceNotFound);
        }
        match command {
            WorkspaceCommand::Create { .. } => Err(WorkspaceRefusal::WorkspaceExists),
            WorkspaceCommand::StartBuild { build_id, transition } => self.start_build(build_id, transition),
            WorkspaceCommand::Log { build_id, mut line } => {
                self.under_way(build_id)?;
                line.truncate(line.floor_char_boundary(MAX_LOG_LINE));
                Ok(vec![WorkspaceEvent::BuildLogged { build_id, line }])
            }
            WorkspaceCommand::FailBuild { build_id, message } => {
                self.under_way(build_id)?;
                Ok(vec![WorkspaceEvent::BuildFailed { build_id, message }])
            }
            WorkspaceCommand::FinishBuild { build_id, directory } => Ok(vec![match self.under_way(build_id)? {
                Transition::Start => WorkspaceEvent::Started { build_id, directory },
                Transition::Stop => WorkspaceEvent::Stopped { build_id },
                Transition::Delete => WorkspaceEvent::Deleted { build_id },
            }]),
            WorkspaceCommand::IssueEnrolment { token_sha256 } => {
                self.not_deleted()?;
                Ok(vec![WorkspaceEvent::EnrolmentIssued { token_sha256 }])
            }
            WorkspaceCommand::Enrol { token_sha256, public_key } => self.enrol(&token_sha256, public_key),
            WorkspaceCommand::Connect { path } if self.connected == Some(path) => Ok(vec![]),
            WorkspaceCommand::Connect { path } => Ok(vec![WorkspaceEvent::DaemonConnected { path }]),
            WorkspaceCommand::Disconnect { .. } if self.connected.is_none() => Ok(vec![]),
            WorkspaceCommand::Disconnect { reason } => Ok(vec![WorkspaceEvent::DaemonDisconnected { reason }]),
        }
    }

    fn apply_event(&mut self, event: &WorkspaceEvent) {
        self.fold(event);
    }
}

impl Workspace {
    fn create(&self, created: WorkspaceEvent) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        if self.owner.is_some() {
            return Err(WorkspaceRefusal::WorkspaceExists);
        }
        match &created {
            WorkspaceEvent::Created { name, .. } if is_valid_name(name) => Ok(vec![created]),
            _ => Err(WorkspaceRefusal::NameInvalid),
        }
    }

    fn not_deleted(&self) -> Result<(), WorkspaceRefusal> {
        if self.status == WorkspaceStatus::Deleted { Err(WorkspaceRefusal::WorkspaceDeleted) } else { Ok(()) }
    }

    fn start_build(&self, build_id: BuildId, transition: Transition) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        self.not_deleted()?;
        match &self.build {
            Some(build) if build.id == build_id => Ok(vec![]),
            Some(_) => Err(WorkspaceRefusal::BuildUnderWay),
            None => Ok(vec![WorkspaceEvent::BuildStarted { build_id, transition }]),
        }
    }

    fn under_way(&self, build_id: BuildId) -> Result<Transition, WorkspaceRefusal> {
        let build = self.build.as_ref().filter(|build| build.id == build_id);
        build.map(|build| build.transition).ok_or(WorkspaceRefusal::BuildNotFound)
    }

    fn enrol(&self, token_sha256: &str, public_key: String) -> Result<Vec<WorkspaceEvent>, WorkspaceRefusal> {
        self.not_deleted()?;
        if self.enrolled_by.as_deref() == Some(token_sha256) && self.public_key.as_ref() == Some(&public_key) {
            return Ok(vec![]);
        }
        if self.enrolment.as_deref() != Some(token_sha256) {
            return Err(WorkspaceRefusal::EnrolmentRefused);
        }
        Ok(vec![WorkspaceEvent::DaemonEnrolled { public_key }])
    }
}

fn is_valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
