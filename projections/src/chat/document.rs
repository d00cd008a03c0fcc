//! A chat as it is shown: everything but its messages.

use super::message::MessageDocument;
use docket_domain::{
    chat::{Delivery, Status},
    conversation::PromptPart,
    failure::Failure,
    ids::{ChatId, ModelCallId, QueuedId, TurnId, UserId, WorkerId, WorkspaceId},
    model_name::ModelName,
    usage::Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A chat. Times are µs since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatDocument {
    #[schema(value_type = Uuid)]
    pub id: ChatId,
    #[schema(value_type = Uuid)]
    pub owner: UserId,
    pub title: Option<String>,
    /// The beginning of the first prompt: what to show where there is no title.
    pub preview: String,
    /// `waiting`, `pending`, `running`, `interrupting` or `error`.
    #[schema(value_type = String)]
    pub status: Status,
    /// `provider/model`: the one that was last asked for.
    #[schema(value_type = Option<String>)]
    pub model: Option<ModelName>,
    #[schema(value_type = Option<Uuid>)]
    pub workspace_id: Option<WorkspaceId>,
    pub labels: BTreeMap<String, String>,
    pub pinned: bool,
    pub archived: bool,
    pub queue: Vec<QueuedDocument>,
    pub turn: Option<TurnDocument>,
    /// Why the last turn failed, until the next begins.
    #[schema(value_type = Option<Object>)]
    pub failure: Option<Failure>,
    pub usage: UsageTotals,
    /// What the last completed model call used: how full the context window is.
    #[schema(value_type = Object)]
    pub last_usage: Usage,
    pub message_count: u64,
    pub created_at: i64,
    pub updated_at: i64,
    /// The last time that something was said or done, not merely filed (titled, labelled, pinned, archived).
    pub last_activity_at: i64,
    /// Of the last event of the chat's stream that is in this document.
    pub position: u64,
}

/// A prompt that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedDocument {
    #[schema(value_type = Uuid)]
    pub id: QueuedId,
    #[schema(value_type = Uuid)]
    pub by: UserId,
    #[schema(value_type = Vec<Object>)]
    pub content: Vec<PromptPart>,
    /// `turn_end`, `next_step` or `interrupt`.
    #[schema(value_type = String)]
    pub delivery: Delivery,
    #[schema(value_type = Option<String>)]
    pub model: Option<ModelName>,
    pub queued_at: i64,
}

/// The turn under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TurnDocument {
    #[schema(value_type = Uuid)]
    pub id: TurnId,
    #[schema(value_type = Uuid)]
    pub by: UserId,
    #[schema(value_type = Option<Uuid>)]
    pub worker: Option<WorkerId>,
    /// Of the last model call that was begun, or is to be repeated; 0 before the first.
    pub step: u32,
    pub attempt: u32,
    /// When the failed model call is to be made again.
    pub retry_at: Option<i64>,
    pub started_at: i64,
    /// The model call that is open.
    #[schema(value_type = Option<Uuid>)]
    pub model_call_id: Option<ModelCallId>,
}

/// Tokens over many model calls. What a provider did not say counts as nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageTotals {
    pub model_calls: u64,
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

impl UsageTotals {
    pub(crate) fn add(&mut self, usage: &Usage) {
        let add = |total: &mut u64, count: Option<u64>| *total = total.saturating_add(count.unwrap_or(0));
        add(&mut self.input, usage.input);
        add(&mut self.cache_read, usage.cache_read);
        add(&mut self.cache_write, usage.cache_write);
        add(&mut self.output, usage.output);
        add(&mut self.reasoning, usage.reasoning);
    }
}

/// A chat with its newest messages, exactly as of a position of the log: a reader that goes on with the events after
/// `position` misses nothing and gets nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatSnapshot {
    pub chat: ChatDocument,
    /// In order; the newest is last.
    pub messages: Vec<MessageDocument>,
    /// Whether there are messages before the first of these.
    pub has_more: bool,
    pub position: u64,
}
