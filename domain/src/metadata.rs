//! What stands beside every event: who, on whose behalf, why.

use crate::{
    actor::Actor,
    ids::{CommandId, UserId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// *Invariant:* somebody's name is on it. Every event has an actor and the user on whose behalf it was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metadata {
    pub actor: Actor,
    pub on_behalf_of: UserId,
    /// The command that was decided. A repeat of the same command id on the same stream is recognised by the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    /// The position of the event that made us do this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<u64>,
    /// What belongs together: a chat's id for all that is done for the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Uuid>,
    /// W3C `traceparent` of the request or the loop that appended the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<String>,
}

impl Metadata {
    #[must_use]
    pub fn new(actor: Actor, on_behalf_of: UserId) -> Self {
        Self { actor, on_behalf_of, command: None, causation: None, correlation: None, trace_parent: None }
    }

    /// Docket acting by itself, on nobody's behalf.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Actor::System, UserId::SYSTEM)
    }

    #[must_use]
    pub fn correlated(mut self, with: Uuid) -> Self {
        self.correlation = Some(with);
        self
    }

    #[must_use]
    pub fn commanded(mut self, by: CommandId) -> Self {
        self.command = Some(by);
        self
    }

    #[must_use]
    pub fn caused_by(mut self, position: u64) -> Self {
        self.causation = Some(position);
        self
    }
}
