//! Identifiers. Each is a UUID of its own type, so that a chat's id cannot be handed where a turn's is meant.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id that follows from another id and a name, the same at every call (UUID v5).
            #[must_use]
            pub fn derive(from: Uuid, name: &str) -> Self {
                Self(Uuid::new_v5(&from, name.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

id! {
    /// A chat; the id of its stream.
    ChatId
    /// A message in a chat.
    MessageId
    /// A prompt that waits in a chat's queue.
    QueuedId
    /// A turn: from a prompt to an answer without tool calls.
    TurnId
    /// One request to a model provider; the id of its stream.
    ModelCallId
    /// One tool call. Ours, not the provider's, so it is unique; it is the idempotency key at the workspace daemon.
    ToolCallId
    /// A workspace; the id of its stream.
    WorkspaceId
    /// One build (start, stop or delete) of a workspace.
    BuildId
    /// A template; the id of its stream.
    TemplateId
    /// A person, or the system account; the id of the stream.
    UserId
    /// An API token of a user.
    TokenId
    /// A process of the control plane; new at every start.
    WorkerId
    /// A command; a repeat of one that was applied changes nothing.
    CommandId
}

impl UserId {
    /// Docket itself, where it acts on nobody's behalf.
    pub const SYSTEM: Self = Self(Uuid::nil());
}
