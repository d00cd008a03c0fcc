//! What may be asked of a workspace, and recorded of it.

use super::event::{ConnectionPath, Transition};
use crate::ids::{BuildId, ChatId, TemplateId, UserId};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub enum WorkspaceCommand {
    Create {
        name: String,
        owner: UserId,
        template_id: TemplateId,
        chat_id: Option<ChatId>,
        parameters: BTreeMap<String, String>,
    },
    StartBuild {
        build_id: BuildId,
        transition: Transition,
    },
    Log {
        build_id: BuildId,
        line: String,
    },
    FailBuild {
        build_id: BuildId,
        message: String,
    },
    /// The build reached its end.
    FinishBuild {
        build_id: BuildId,
        directory: String,
    },
    IssueEnrolment {
        token_sha256: String,
    },
    Enrol {
        token_sha256: String,
        public_key: String,
    },
    Connect {
        path: ConnectionPath,
    },
    Disconnect {
        reason: String,
    },
}
