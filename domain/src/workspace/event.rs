//! What happened to a workspace.

use crate::ids::{BuildId, ChatId, TemplateId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a build is to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Transition {
    Start,
    Stop,
    Delete,
}

/// How the daemon's traffic reaches the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionPath {
    Relay,
    Direct,
}

/// Events of the stream `workspace-{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "workspace.")]
pub enum WorkspaceEvent {
    Created {
        name: String,
        owner: UserId,
        template_id: TemplateId,
        /// The chat that asked for it, where one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chat_id: Option<ChatId>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        parameters: BTreeMap<String, String>,
    },
    BuildStarted {
        build_id: BuildId,
        transition: Transition,
    },
    BuildLogged {
        build_id: BuildId,
        line: String,
    },
    BuildFailed {
        build_id: BuildId,
        message: String,
    },
    /// A one-time token was made for the daemon; only its SHA-256 (lower-case hex) is kept.
    EnrolmentIssued {
        token_sha256: String,
    },
    /// The daemon used the token and showed its key. From here on the key is its identity.
    DaemonEnrolled {
        public_key: String,
    },
    /// The build's end: the daemon is connected.
    Started {
        build_id: BuildId,
        directory: String,
    },
    Stopped {
        build_id: BuildId,
    },
    Deleted {
        build_id: BuildId,
    },
    DaemonConnected {
        path: ConnectionPath,
    },
    DaemonDisconnected {
        reason: String,
    },
}

impl cqrs_es::DomainEvent for WorkspaceEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
