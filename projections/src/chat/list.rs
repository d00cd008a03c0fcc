//! The list of chats. It reads no message.

use super::{read::ChatReads, summary::ChatSummary};
use crate::{
    cursor,
    database::{Conditions, Value, containing},
    error::ProjectionError,
};
use docket_domain::{chat::Status, ids::UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most chats that are given out at once.
pub const MAX_CHATS: usize = 200;

/// Which chats. The default is all that are not archived.
#[derive(Clone, Debug, Default)]
pub struct ChatQuery {
    pub owner: Option<UserId>,
    /// Found in the title or in the beginning of the first prompt; case does not matter.
    pub q: Option<String>,
    pub status: Option<Status>,
    /// All of these labels.
    pub labels: BTreeMap<String, String>,
    pub archived: bool,
    /// From the page before.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Chats, the pinned ones first, then by their last activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatPage {
    pub items: Vec<ChatSummary>,
    pub next_cursor: Option<String>,
}

impl ChatReads {
    /// A page of the chats that the query means.
    ///
    /// # Errors
    /// When the cursor is not ours, or the database cannot be read.
    pub async fn list(&self, query: &ChatQuery) -> Result<ChatPage, ProjectionError> {
        let limit = query.limit.clamp(1, MAX_CHATS);
        let conditions = conditions(query)?;
        let sql = format!(
            "SELECT summary FROM chats@ WHERE {} ORDER BY pinned DESC, last_activity_at DESC, id DESC LIMIT {}",
            conditions.sql(),
            limit + 1
        );
        let rows = self.view.read().await?.fetch(&sql, conditions.values).await?;
        let mut chats: Vec<ChatSummary> = rows.iter().map(|row| row.document(0)).collect::<sqlx::Result<_>>()?;
        let more = chats.len() > limit;
        chats.truncate(limit);
        let last = chats.last().filter(|_| more);
        let next_cursor = last.map(|chat| cursor::make(&(i64::from(chat.pinned), chat.last_activity_at, chat.id.to_string())));
        Ok(ChatPage { items: chats, next_cursor })
    }
}

fn conditions(query: &ChatQuery) -> Result<Conditions, ProjectionError> {
    let mut conditions = Conditions::default();
    conditions.add("archived = ?", [Value::flag(query.archived)]);
    if let Some(owner) = query.owner {
        conditions.add("owner = ?", [Value::id(owner)]);
    }
    if let Some(status) = query.status {
        conditions.add("status = ?", [Value::id(status)]);
    }
    if let Some(q) = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        let pattern = containing(&q.to_lowercase());
        conditions.add("(title LIKE ? ESCAPE '\\' OR preview LIKE ? ESCAPE '\\')", [pattern.clone(), pattern]);
    }
    for (name, value) in &query.labels {
        conditions.add(
            "EXISTS (SELECT 1 FROM chat_labels@ l WHERE l.chat_id = chats@.id AND l.name = ? AND l.value = ?)",
            [Value::text(name), Value::text(value)],
        );
    }
    if let Some(cursor) = &query.cursor {
        let (pinned, at, id): (i64, i64, String) = cursor::read(cursor)?;
        conditions.add("(pinned, last_activity_at, id) < (?, ?, ?)", [Value::int(pinned), Value::int(at), Value::text(id)]);
    }
    Ok(conditions)
}
