//! Events that a projection could not apply and went past: kept beside its rows, and shown.

use crate::{
    database::{Conditions, Database, Transaction, Value},
    generation::Generation,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) const DDL: &[&str] = &["CREATE TABLE IF NOT EXISTS failures (
    projection TEXT NOT NULL, generation BIGINT NOT NULL, position BIGINT NOT NULL, event_type TEXT NOT NULL,
    error TEXT NOT NULL, PRIMARY KEY (projection, generation, position))"];

/// An event that a projection could not apply and went past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub projection: String,
    /// The one whose rows miss the event.
    pub generation: u64,
    pub position: u64,
    pub event_type: String,
    pub error: String,
}

pub(crate) async fn set_aside(tx: &mut Transaction, failure: &Failure) -> sqlx::Result<()> {
    let sql = "INSERT INTO failures (projection, generation, position, event_type, error) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let values = vec![
        Value::text(&failure.projection),
        Value::count(failure.generation),
        Value::count(failure.position),
        Value::text(&failure.event_type),
        Value::text(&failure.error),
    ];
    tx.execute(sql, values).await.map(drop)
}

/// What the live views miss, the oldest first.
pub(crate) async fn of_live(database: &Database, projection: Option<&str>, limit: u64) -> sqlx::Result<Vec<Failure>> {
    let mut conditions = Conditions::default();
    conditions.add("g.role = ?", [Value::text("live")]);
    if let Some(projection) = projection {
        conditions.add("f.projection = ?", [Value::text(projection)]);
    }
    let sql = format!(
        "SELECT f.projection, f.generation, f.position, f.event_type, f.error FROM failures f JOIN generations g \
         ON g.projection = f.projection AND g.generation = f.generation WHERE {} ORDER BY f.position, f.projection LIMIT {limit}",
        conditions.sql()
    );
    let rows = database.read().await?.fetch(&sql, conditions.values).await?;
    let failure = |row: &crate::database::Row| {
        Ok(Failure {
            projection: row.text(0)?,
            generation: row.count(1)?,
            position: row.count(2)?,
            event_type: row.text(3)?,
            error: row.text(4)?,
        })
    };
    rows.iter().map(failure).collect()
}

/// Whether a live view misses this event, or any.
pub(crate) async fn is_there(database: &Database, projection: &str, position: Option<u64>) -> sqlx::Result<bool> {
    let failures = of_live(database, Some(projection), i64::MAX.unsigned_abs()).await?;
    Ok(failures.iter().any(|failure| position.is_none_or(|position| failure.position == position)))
}

/// How many there are of each generation that has any: (projection, generation, count).
pub(crate) async fn counts(tx: &mut Transaction) -> sqlx::Result<Vec<(String, u64, u64)>> {
    let rows =
        tx.fetch("SELECT projection, generation, COUNT(*) FROM failures GROUP BY projection, generation", vec![]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.count(1)?, row.count(2)?))).collect()
}

/// Forgets those of a generation, with its tables.
pub(crate) async fn forget(tx: &mut Transaction, generation: &Generation) -> sqlx::Result<()> {
    let key = vec![Value::text(&generation.projection), Value::count(generation.number)];
    tx.execute("DELETE FROM failures WHERE projection = $1 AND generation = $2", key).await.map(drop)
}
