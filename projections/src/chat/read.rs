//! What may be asked of the chats.

use super::{
    document::{ChatDocument, ChatSnapshot},
    live::LiveCalls,
    message::MessageDocument,
    projection::messages,
    time_travel,
    view::ChatView,
};
use crate::{
    database::{Conditions, Value},
    error::ProjectionError,
    progress::Progress,
    view::View,
};
use docket_domain::ids::ChatId;
use docket_eventlog::Log;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The most messages that are given out at once.
pub const MAX_MESSAGES: usize = 200;

/// Which messages: those before or after an ordinal, or the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRange {
    Newest,
    Before(u64),
    After(u64),
}

/// Messages of a chat, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagePage {
    pub items: Vec<MessageDocument>,
    /// Whether there are more in the direction of the range: older ones, or newer ones for `After`.
    pub has_more: bool,
}

/// Reads the chats.
#[derive(Clone, Debug)]
pub struct ChatReads {
    pub(crate) view: View,
    pub(crate) log: Log,
    pub(crate) live: Arc<LiveCalls>,
    pub(crate) progress: Arc<Progress>,
}

impl ChatReads {
    /// The chat without its messages.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, id: ChatId) -> Result<Option<ChatDocument>, ProjectionError> {
        let mut tx = self.view.read().await?;
        let row = tx.first("SELECT document FROM chats@ WHERE id = $1", vec![Value::id(id)]).await?;
        Ok(row.map(|row| row.document(0)).transpose()?)
    }

    /// A page of the chat's messages; none when there is no such chat. One that is being streamed is without its parts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn messages(&self, id: ChatId, range: MessageRange, limit: usize) -> Result<MessagePage, ProjectionError> {
        let limit = limit.clamp(1, MAX_MESSAGES);
        let mut conditions = Conditions::default();
        conditions.add("chat_id = ?", [Value::id(id)]);
        let order = match range {
            MessageRange::Newest => "DESC",
            MessageRange::Before(ordinal) => {
                conditions.add("ordinal < ?", [Value::count(ordinal)]);
                "DESC"
            }
            MessageRange::After(ordinal) => {
                conditions.add("ordinal > ?", [Value::count(ordinal)]);
                "ASC"
            }
        };
        let sql =
            format!("SELECT document FROM messages@ WHERE {} ORDER BY ordinal {order} LIMIT {}", conditions.sql(), limit + 1);
        let mut found = messages(&self.view.read().await?.fetch(&sql, conditions.values).await?)?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        if order == "DESC" {
            found.reverse();
        }
        Ok(MessagePage { items: found, has_more })
    }

    /// The chat with its last `limit` messages, and with what the open model call has said, all exactly as of one position.
    ///
    /// # Errors
    /// When the database or the log cannot be read.
    pub async fn snapshot(&self, id: ChatId, limit: usize) -> Result<Option<ChatSnapshot>, ProjectionError> {
        // Known before the rows are read, so the rows show every event up to here at least; what is between a lower checkpoint
        // and this position does not concern them.
        let reached = self.progress.reached().unwrap_or(0);
        let (mut tx, checkpoint) = self.view.read_at().await?;
        let position = checkpoint.max(reached);
        let Some(row) = tx.first("SELECT document FROM chats@ WHERE id = $1", vec![Value::id(id)]).await? else {
            return Ok(None);
        };
        let sql = format!(
            "SELECT document FROM messages@ WHERE chat_id = $1 ORDER BY ordinal DESC LIMIT {}",
            limit.clamp(1, MAX_MESSAGES)
        );
        let mut newest = messages(&tx.fetch(&sql, vec![Value::id(id)]).await?)?;
        tx.rollback().await?;
        newest.reverse();
        let mut view = ChatView { chat: row.document(0)?, messages: newest };
        if let Some(call) = view.open_call() {
            view.apply_deltas(call, &self.live.deltas(&self.log, call, position).await?);
        }
        Ok(Some(view.into_snapshot(position, limit.clamp(1, MAX_MESSAGES))))
    }

    /// The chat as it was when the log ended at `position`, from the log alone.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn at(&self, id: ChatId, position: u64, limit: usize) -> Result<Option<ChatSnapshot>, ProjectionError> {
        Ok(time_travel::at(&self.log, id, position, limit.clamp(1, MAX_MESSAGES)).await?)
    }
}
