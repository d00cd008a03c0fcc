//! A chat as a list shows it: no queue, no messages.

use super::document::{ChatDocument, UsageTotals};
use docket_domain::{
    chat::Status,
    ids::{ChatId, UserId, WorkspaceId},
    model_name::ModelName,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The longest preview in a list, in characters.
const MAX_PREVIEW: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatSummary {
    #[schema(value_type = Uuid)]
    pub id: ChatId,
    #[schema(value_type = Uuid)]
    pub owner: UserId,
    pub title: Option<String>,
    /// The beginning of the first prompt.
    pub preview: String,
    #[schema(value_type = String)]
    pub status: Status,
    #[schema(value_type = Option<String>)]
    pub model: Option<ModelName>,
    #[schema(value_type = Option<Uuid>)]
    pub workspace_id: Option<WorkspaceId>,
    pub labels: BTreeMap<String, String>,
    pub pinned: bool,
    pub archived: bool,
    pub queued: u64,
    pub message_count: u64,
    pub usage: UsageTotals,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_activity_at: i64,
    pub position: u64,
}

impl From<&ChatDocument> for ChatSummary {
    fn from(chat: &ChatDocument) -> Self {
        Self {
            id: chat.id,
            owner: chat.owner,
            title: chat.title.clone(),
            preview: chat.preview.chars().take(MAX_PREVIEW).collect(),
            status: chat.status,
            model: chat.model.clone(),
            workspace_id: chat.workspace_id,
            labels: chat.labels.clone(),
            pinned: chat.pinned,
            archived: chat.archived,
            queued: chat.queue.len() as u64,
            message_count: chat.message_count,
            usage: chat.usage,
            created_at: chat.created_at,
            updated_at: chat.updated_at,
            last_activity_at: chat.last_activity_at,
            position: chat.position,
        }
    }
}
