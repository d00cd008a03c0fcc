//! The one connection that writes.

use super::{
    known::Known,
    lock::Lock,
    plan::{Applied, Plan},
};
use crate::{
    bookmark::Bookmark,
    error::OpenError,
    options::Durability,
    request::Request,
    snapshot::Snapshot,
    written::{WriteError, Written},
};
use sqlx::{
    ConnectOptions, Connection, Executor, SqliteConnection,
    error::DatabaseError,
    sqlite::{SqliteConnectOptions, SqliteError},
};
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    durability: Durability,
    /// None after a failure: whatever was remembered may be wrong then, and is read anew with the next connection.
    open: Option<(SqliteConnection, Known)>,
    _lock: Lock,
}

impl Writer {
    pub(crate) fn new(options: SqliteConnectOptions, durability: Durability, lock: Lock) -> Self {
        Self { options, durability, open: None, _lock: lock }
    }

    /// Connects unless it is connected, and gives the newest position.
    pub(crate) async fn connect(&mut self) -> Result<u64, OpenError> {
        if let Some((_, known)) = &self.open {
            return Ok(known.position);
        }
        let mut connection = self.options.connect().await?;
        assert_durable(&mut connection, self.durability).await?;
        let known = Known::read(&mut connection).await?;
        let position = known.position;
        self.open = Some((connection, known));
        Ok(position)
    }

    /// Writes a batch as one transaction.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        self.connect().await.map_err(|error| WriteError::Unavailable(error.to_string()))?;
        let Some((connection, known)) = &mut self.open else {
            return Err(WriteError::Unavailable("not connected".into()));
        };
        let plan = match prepare(connection, known, batch).await {
            Ok(plan) => plan,
            Err(error) => {
                self.disconnect().await;
                return Err(classify(&error));
            }
        };
        let reached = known.position;
        if let Err(error) = connection.execute("COMMIT").await {
            return self.resolve(reached, plan, &error).await;
        }
        Ok(Written { outcomes: plan.outcomes, events: plan.events.into_iter().map(|row| row.event).collect() })
    }

    /// A commit that failed may have reached the disk all the same. Nobody else writes, so the newest position tells.
    async fn resolve(&mut self, reached: u64, plan: Plan<'_>, error: &sqlx::Error) -> Result<Written, WriteError> {
        self.disconnect().await;
        match self.connect().await {
            Ok(position) if position == reached && !plan.events.is_empty() => {
                Ok(Written { outcomes: plan.outcomes, events: plan.events.into_iter().map(|row| row.event).collect() })
            }
            Ok(_) => Err(WriteError::Unavailable(error.to_string())),
            Err(lost) => Err(WriteError::Uncertain(format!("{error}; then {lost}"))),
        }
    }

    /// Remembers where a reader stands.
    pub(crate) async fn save_bookmark(&mut self, name: &str, bookmark: &Bookmark) -> Result<(), String> {
        self.connect().await.map_err(|error| error.to_string())?;
        let Some((connection, _)) = &mut self.open else { return Err("not connected".into()) };
        let saved = sqlx::query("INSERT OR REPLACE INTO bookmarks (name, position, state) VALUES (?, ?, ?)")
            .bind(name)
            .bind(bookmark.position.cast_signed())
            .bind(&bookmark.state)
            .execute(connection)
            .await;
        saved.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Writes a snapshot in a transaction of its own, which can fail without harm to any batch and does not wait for the disk. It
    /// never gets there before the events, which came first.
    pub(crate) async fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.connect().await.map_err(|error| error.to_string())?;
        let Some((connection, _)) = &mut self.open else { return Err("not connected".into()) };
        let saved = match connection.execute("PRAGMA synchronous = NORMAL").await {
            Ok(_) => insert_snapshot(connection, snapshot).await,
            Err(error) => Err(error),
        };
        let restored = match self.durability {
            Durability::Sync => connection.execute("PRAGMA synchronous = FULL").await.map(|_| ()),
            Durability::Relaxed => Ok(()),
        };
        let durable = assert_durable(connection, self.durability).await;
        if restored.is_err() || durable.is_err() {
            // The next batch must not find a connection that promises less; a new one is asked again.
            self.disconnect().await;
        }
        saved.map_err(|error| error.to_string())
    }

    #[cfg(test)]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.open.as_mut().unwrap().0
    }

    pub(crate) async fn disconnect(&mut self) {
        if let Some((connection, _)) = self.open.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the log's writing connection did not close well");
        }
    }
}

/// A pragma that is not understood is ignored by SQLite, so ask what holds.
async fn assert_durable(connection: &mut SqliteConnection, durability: Durability) -> Result<(), OpenError> {
    let (synchronous,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&mut *connection).await?;
    let (journal,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    let wanted = if durability == Durability::Sync { 2 } else { 1 };
    if synchronous != wanted || journal != "wal" {
        return Err(OpenError::Unsuitable(format!("synchronous is {synchronous}, the journal is {journal}")));
    }
    Ok(())
}

async fn insert_snapshot(connection: &mut SqliteConnection, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO aggregate_snapshots (stream, sequence, leaf_hash, state_version, state) \
         SELECT e.stream, e.sequence, e.leaf_hash, ?, ? FROM events e \
         WHERE e.stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?) AND e.sequence = ?",
    )
    .bind(snapshot.state_version)
    .bind(&snapshot.state)
    .bind(&*snapshot.stream.aggregate_type)
    .bind(&*snapshot.stream.aggregate_id)
    .bind(snapshot.sequence.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

/// Everything of a transaction but its end.
async fn prepare<'a>(
    connection: &mut SqliteConnection,
    known: &mut Known,
    batch: &[&'a Request],
) -> Result<Plan<'a>, sqlx::Error> {
    connection.execute("BEGIN IMMEDIATE").await?;
    known.look_up_streams(connection, batch.iter().map(|request| &request.stream)).await?;
    known.look_up_scopes(connection, batch.iter().filter_map(|request| request.scope)).await?;
    let applied = applied(connection, known, batch).await?;
    let plan = Plan::new(known, &applied, batch);
    plan.insert(connection).await?;
    Ok(plan)
}

/// What the batch's commands have done before.
async fn applied(connection: &mut SqliteConnection, known: &Known, batch: &[&Request]) -> Result<Applied, sqlx::Error> {
    let asked: Vec<(i64, String)> = batch
        .iter()
        .filter_map(|request| Some((known.streams.peek(&request.stream)?.id, request.command?.simple().to_string())))
        .collect();
    if asked.is_empty() {
        return Ok(Applied::new());
    }
    let rows: Vec<(i64, Uuid, i64, i64)> = sqlx::query_as(
        "SELECT c.stream, c.command, c.last_position, c.last_sequence FROM json_each(?1) j CROSS JOIN commands c \
           ON c.stream = j.value ->> 0 AND c.command = unhex(j.value ->> 1)",
    )
    .bind(serde_json::json!(asked).to_string())
    .fetch_all(connection)
    .await?;
    let row = |(stream, command, position, sequence): (i64, Uuid, i64, i64)| {
        ((stream, command), (position.unsigned_abs(), sequence.unsigned_abs()))
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Whose fault a failed statement is: the content's (a constraint, a size) or the disk's.
fn classify(error: &sqlx::Error) -> WriteError {
    const SQLITE_TOOBIG: i32 = 18;
    const SQLITE_CONSTRAINT: i32 = 19;
    const SQLITE_MISMATCH: i32 = 20;
    let code = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<SqliteError>())
        .and_then(DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok())
        .map(|extended| extended & 0xff);
    match code {
        Some(SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH) => WriteError::Refused(error.to_string()),
        _ => WriteError::Unavailable(error.to_string()),
    }
}
