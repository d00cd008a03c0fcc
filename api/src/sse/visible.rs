//! What a reader of the list of chats is shown.

use crate::authorization::{Action, Caller, allowed};
use docket_commands::Control;
use docket_eventlog::{ReadError, Recorded};
use std::collections::HashMap;
use uuid::Uuid;

/// Everything of the chats that are watched, and of the other chats that the caller may see what a list shows: not their model
/// calls.
#[derive(Debug)]
pub struct Visible {
    pub control: Control,
    pub caller: Caller,
    pub watched: Vec<Uuid>,
    /// Whether the caller may see a chat, as far as it was asked: the owner of a chat does not change.
    pub known: HashMap<Uuid, bool>,
}

impl Visible {
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn shows(&mut self, event: &Recorded) -> Result<bool, ReadError> {
        let Some(chat) = event.scope else { return Ok(false) };
        if self.watched.contains(&chat) {
            return Ok(true);
        }
        if &*event.stream.aggregate_type != "chat" {
            return Ok(false);
        }
        if let Some(known) = self.known.get(&chat) {
            return Ok(*known);
        }
        let owner = self.control.chats.read(chat, |chat, _| chat.owner).await?;
        let shown = owner.is_some_and(|owner| allowed(&self.caller, Action::See { owner }));
        self.known.insert(chat, shown);
        Ok(shown)
    }
}
