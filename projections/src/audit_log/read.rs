//! What may be asked of the audit log.

use crate::{
    cursor,
    database::{Conditions, Row, Value, beginning_with},
    error::ProjectionError,
    view::View,
};
use docket_domain::ids::{ChatId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most entries that are given out at once.
pub const MAX_ENTRIES: usize = 1_000;

/// One act: who did what to what, when, on whose behalf, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    pub position: u64,
    /// µs since 1970, UTC.
    pub recorded_at: i64,
    /// `user`, `worker`, `workspace` or `system`.
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    #[schema(value_type = Uuid)]
    pub on_behalf_of: UserId,
    /// The event's type.
    pub action: String,
    /// The event's stream.
    pub resource: String,
    #[schema(value_type = Option<Uuid>)]
    pub chat_id: Option<ChatId>,
    /// `ok`, `failed`, `cancelled`, `interrupted` or `unknown`.
    pub outcome: String,
    pub summary: String,
}

/// Which acts. The default is all.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Who did it, or on whose behalf it was done.
    pub actor: Option<Uuid>,
    /// An event type, or the beginning of some when it ends with a dot (`chat.`).
    pub action: Option<String>,
    pub chat: Option<ChatId>,
    /// µs since 1970, UTC; from this instant on.
    pub from: Option<i64>,
    /// Before this instant.
    pub to: Option<i64>,
    /// From the page before.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Acts, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    pub next_cursor: Option<String>,
}

/// Reads the audit log.
#[derive(Clone, Debug)]
pub struct AuditReads {
    pub(crate) view: View,
}

impl AuditReads {
    /// A page of the acts that the query means.
    ///
    /// # Errors
    /// When the cursor is not ours, or the database cannot be read.
    pub async fn query(&self, query: &AuditQuery) -> Result<AuditPage, ProjectionError> {
        let limit = query.limit.clamp(1, MAX_ENTRIES);
        let conditions = conditions(query)?;
        let sql = format!(
            "SELECT position, recorded_at, actor_kind, actor_id, on_behalf_of, action, resource, chat_id, outcome, summary \
             FROM audit_log@ WHERE {} ORDER BY position DESC LIMIT {}",
            conditions.sql(),
            limit + 1
        );
        let rows = self.view.read().await?.fetch(&sql, conditions.values).await?;
        let mut entries: Vec<_> = rows.iter().map(entry).collect::<sqlx::Result<_>>()?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next_cursor = entries.last().filter(|_| more).map(|entry| cursor::make(&entry.position));
        Ok(AuditPage { items: entries, next_cursor })
    }
}

fn conditions(query: &AuditQuery) -> Result<Conditions, ProjectionError> {
    let mut conditions = Conditions::default();
    if let Some(actor) = query.actor {
        conditions.add("(actor_id = ? OR on_behalf_of = ?)", [Value::id(actor), Value::id(actor)]);
    }
    match &query.action {
        Some(prefix) if prefix.ends_with('.') => conditions.add("action LIKE ? ESCAPE '\\'", [beginning_with(prefix)]),
        Some(action) => conditions.add("action = ?", [Value::text(action)]),
        None => {}
    }
    if let Some(chat) = query.chat {
        conditions.add("chat_id = ?", [Value::id(chat)]);
    }
    if let Some(from) = query.from {
        conditions.add("recorded_at >= ?", [Value::int(from)]);
    }
    if let Some(to) = query.to {
        conditions.add("recorded_at < ?", [Value::int(to)]);
    }
    if let Some(cursor) = &query.cursor {
        conditions.add("position < ?", [Value::count(cursor::read(cursor)?)]);
    }
    Ok(conditions)
}

fn entry(row: &Row) -> sqlx::Result<AuditEntry> {
    let id = |column| row.maybe_text(column).map(|text| text.and_then(|text| Uuid::parse_str(&text).ok()));
    Ok(AuditEntry {
        position: row.count(0)?,
        recorded_at: row.int(1)?,
        actor_kind: row.text(2)?,
        actor_id: id(3)?,
        on_behalf_of: row.parsed(4)?,
        action: row.text(5)?,
        resource: row.text(6)?,
        chat_id: id(7)?.map(ChatId),
        outcome: row.text(8)?,
        summary: row.text(9)?,
    })
}
