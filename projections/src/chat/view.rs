//! A chat and its messages, as the fold of events: the one definition of the view. The projection persists this fold, time
//! travel repeats it, and a snapshot is it.

use super::{
    document::{ChatDocument, UsageTotals},
    message::MessageDocument,
};
use docket_domain::{
    chat::Status,
    conversation::PromptPart,
    ids::{ChatId, UserId},
    usage::Usage,
};
use std::collections::BTreeMap;

/// The longest beginning of a first prompt that is kept for lists and search, in characters.
const MAX_PREVIEW: usize = 1_000;

/// A chat with messages in order. They may be only the newest: no event changes one before the last assistant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatView {
    pub chat: ChatDocument,
    pub messages: Vec<MessageDocument>,
}

impl ChatView {
    /// The view before the first event.
    #[must_use]
    pub fn new(id: ChatId) -> Self {
        let chat = ChatDocument {
            id,
            owner: UserId::SYSTEM,
            title: None,
            preview: String::new(),
            status: Status::Waiting,
            model: None,
            workspace_id: None,
            labels: BTreeMap::new(),
            pinned: false,
            archived: false,
            queue: Vec::new(),
            turn: None,
            failure: None,
            usage: UsageTotals::default(),
            last_usage: Usage::default(),
            message_count: 0,
            created_at: 0,
            updated_at: 0,
            last_activity_at: 0,
            position: 0,
        };
        Self { chat, messages: Vec::new() }
    }

    /// Whether any event was applied.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.chat.position > 0
    }

    pub(super) fn set_preview(&mut self, content: &[PromptPart]) {
        if self.chat.message_count == 0 {
            let texts: Vec<_> = content.iter().map(|PromptPart::Text { text }| text.as_str()).collect();
            self.chat.preview = texts.join("\n").chars().take(MAX_PREVIEW).collect();
        }
    }
}
