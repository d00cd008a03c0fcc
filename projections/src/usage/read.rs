//! What may be asked of the usage.

use super::day::day;
use crate::{
    cursor,
    database::{Conditions, Row, Value},
    error::ProjectionError,
    view::View,
};
use docket_domain::ids::{ChatId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most rows that are given out at once.
pub const MAX_USAGE_ROWS: usize = 1_000;

const COUNTS: [&str; 7] = ["model_calls", "failed_calls", "input", "cache_read", "cache_write", "output", "reasoning"];

/// Tokens and calls. `failed_calls` are among the `model_calls`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageCounts {
    pub model_calls: u64,
    pub failed_calls: u64,
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

/// What one person used of one model in one chat on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    #[schema(value_type = Uuid)]
    pub chat_id: ChatId,
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// `provider/model`
    pub model: String,
    /// `2026-11-22`, UTC.
    pub day: String,
    #[serde(flatten)]
    pub counts: UsageCounts,
}

/// Whose usage. The default is everybody's, ever.
#[derive(Clone, Debug, Default)]
pub struct UsageQuery {
    pub user: Option<UserId>,
    pub chat: Option<ChatId>,
    pub model: Option<String>,
    /// µs since 1970, UTC; from the day of this instant on.
    pub from: Option<i64>,
    /// µs since 1970, UTC; to the day of this instant, included.
    pub to: Option<i64>,
    /// From the page before.
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Usage, the newest day first, and the sums over all that the query means, not only this page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsagePage {
    pub items: Vec<UsageRow>,
    pub totals: UsageCounts,
    pub next_cursor: Option<String>,
}

/// Reads the usage.
#[derive(Clone, Debug)]
pub struct UsageReads {
    pub(crate) view: View,
}

impl UsageReads {
    /// A page of the usage that the query means.
    ///
    /// # Errors
    /// When the cursor is not ours, or the database cannot be read.
    pub async fn query(&self, query: &UsageQuery) -> Result<UsagePage, ProjectionError> {
        let limit = query.limit.clamp(1, MAX_USAGE_ROWS);
        let mut conditions = conditions(query);
        let mut tx = self.view.read().await?;
        let sums = COUNTS.map(|count| format!("CAST(COALESCE(SUM({count}), 0) AS BIGINT)")).join(", ");
        let sql = format!("SELECT {sums} FROM usage@ WHERE {}", conditions.sql());
        let totals = tx.first(&sql, conditions.values.clone()).await?.ok_or(sqlx::Error::RowNotFound)?;
        if let Some(cursor) = &query.cursor {
            let key: [String; 4] = cursor::read(cursor)?;
            conditions.add("(day, chat_id, user_id, model) < (?, ?, ?, ?)", key.map(Value::text));
        }
        let sql = format!(
            "SELECT chat_id, user_id, model, day, {} FROM usage@ WHERE {} \
             ORDER BY day DESC, chat_id DESC, user_id DESC, model DESC LIMIT {}",
            COUNTS.join(", "),
            conditions.sql(),
            limit + 1
        );
        let rows = tx.fetch(&sql, conditions.values).await?;
        let mut rows: Vec<_> = rows.iter().map(usage_row).collect::<sqlx::Result<_>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let key = |row: &UsageRow| {
            cursor::make(&[row.day.clone(), row.chat_id.to_string(), row.user_id.to_string(), row.model.clone()])
        };
        let next_cursor = rows.last().filter(|_| more).map(key);
        Ok(UsagePage { items: rows, totals: counts(&totals, 0)?, next_cursor })
    }
}

fn conditions(query: &UsageQuery) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(user) = query.user {
        conditions.add("user_id = ?", [Value::id(user)]);
    }
    if let Some(chat) = query.chat {
        conditions.add("chat_id = ?", [Value::id(chat)]);
    }
    if let Some(model) = &query.model {
        conditions.add("model = ?", [Value::text(model)]);
    }
    if let Some(from) = query.from {
        conditions.add("day >= ?", [Value::text(day(from))]);
    }
    if let Some(to) = query.to {
        conditions.add("day <= ?", [Value::text(day(to))]);
    }
    conditions
}

fn usage_row(row: &Row) -> sqlx::Result<UsageRow> {
    Ok(UsageRow {
        chat_id: row.parsed(0)?,
        user_id: row.parsed(1)?,
        model: row.text(2)?,
        day: row.text(3)?,
        counts: counts(row, 4)?,
    })
}

fn counts(row: &Row, first: usize) -> sqlx::Result<UsageCounts> {
    Ok(UsageCounts {
        model_calls: row.count(first)?,
        failed_calls: row.count(first + 1)?,
        input: row.count(first + 2)?,
        cache_read: row.count(first + 3)?,
        cache_write: row.count(first + 4)?,
        output: row.count(first + 5)?,
        reasoning: row.count(first + 6)?,
    })
}
