//! What happened to a person's account.

use crate::{ids::TokenId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// What a person may do. Each role is a fixed set of rights; what belongs to whom is decided besides.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    Owner,
    Administrator,
    /// Reads everything, changes nothing.
    Auditor,
    /// Works with what is theirs.
    Member,
}

/// Events of the stream `user-{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "user.")]
pub enum UserEvent {
    Created {
        name: String,
        role: Role,
    },
    RoleChanged {
        role: Role,
    },
    TokenIssued {
        token_id: TokenId,
        name: String,
        /// SHA-256 of the token (lower-case hex). The token itself is shown once and kept nowhere.
        sha256: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    TokenRevoked {
        token_id: TokenId,
    },
}

impl cqrs_es::DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
