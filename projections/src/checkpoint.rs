//! How far a projection has come, kept beside its rows; and the events it had to set aside.

use crate::{
    database::{Conditions, Database, Transaction, Value},
    error::ProjectionError,
};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) const DDL: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS checkpoints (
        name TEXT NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (name, version))",
    "CREATE TABLE IF NOT EXISTS failed_events (
        projection TEXT NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL, event_type TEXT NOT NULL,
        error TEXT NOT NULL, PRIMARY KEY (projection, version, position))",
];

/// An event that a projection could not apply and went past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailedEvent {
    pub projection: String,
    pub version: u64,
    pub position: u64,
    pub event_type: String,
    pub error: String,
}

/// The checkpoint, made at 0 where there is none.
pub(crate) async fn load(tx: &mut Transaction, name: &str, version: u32) -> sqlx::Result<u64> {
    let key = || vec![Value::text(name), Value::int(version.into())];
    tx.execute("INSERT INTO checkpoints (name, version, position) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", key()).await?;
    let row = tx.first("SELECT position FROM checkpoints WHERE name = $1 AND version = $2", key()).await?;
    row.ok_or(sqlx::Error::RowNotFound)?.count(0)
}

/// The checkpoint, or 0, without making one.
pub(crate) async fn read(tx: &mut Transaction, name: &str, version: u32) -> sqlx::Result<u64> {
    let key = vec![Value::text(name), Value::int(version.into())];
    let row = tx.first("SELECT position FROM checkpoints WHERE name = $1 AND version = $2", key).await?;
    row.map_or(Ok(0), |row| row.count(0))
}

/// Moves the checkpoint on. False when it was not where we left it: somebody else runs this projection.
pub(crate) async fn advance(tx: &mut Transaction, name: &str, version: u32, from: u64, to: u64) -> sqlx::Result<bool> {
    let sql = "UPDATE checkpoints SET position = $1 WHERE name = $2 AND version = $3 AND position = $4";
    let values = vec![Value::count(to), Value::text(name), Value::int(version.into()), Value::count(from)];
    Ok(tx.execute(sql, values).await? == 1)
}

pub(crate) async fn set_aside(tx: &mut Transaction, failed: &FailedEvent) -> sqlx::Result<()> {
    let sql = "INSERT INTO failed_events (projection, version, position, event_type, error) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let values = vec![
        Value::text(&failed.projection),
        Value::count(failed.version),
        Value::count(failed.position),
        Value::text(&failed.event_type),
        Value::text(&failed.error),
    ];
    tx.execute(sql, values).await.map(drop)
}

/// The events that were set aside, the newest first.
pub(crate) async fn failures(
    database: &Database,
    projection: Option<&str>,
    limit: u64,
) -> Result<Vec<FailedEvent>, ProjectionError> {
    let mut conditions = Conditions::default();
    if let Some(projection) = projection {
        conditions.add("projection = ?", [Value::text(projection)]);
    }
    let sql = format!(
        "SELECT projection, version, position, event_type, error FROM failed_events WHERE {} \
         ORDER BY position DESC, projection, version LIMIT {limit}",
        conditions.sql()
    );
    let rows = database.read().await?.fetch(&sql, conditions.values).await?;
    let failures = rows.iter().map(|row| {
        Ok(FailedEvent {
            projection: row.text(0)?,
            version: row.count(1)?,
            position: row.count(2)?,
            event_type: row.text(3)?,
            error: row.text(4)?,
        })
    });
    Ok(failures.collect::<sqlx::Result<_>>()?)
}
