//! Writing a backup's rows, in one transaction. The connection is dropped without a commit when something fails.

use crate::{
    backup::{DigestedBlob, Rows},
    error::ReadError,
};
use rusqlite::{Connection, params};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

#[derive(Debug)]
pub(crate) struct Restoring(Arc<Mutex<Connection>>);

impl Restoring {
    /// Also says how many events are there.
    pub(crate) async fn begin(path: &Path) -> Result<(Self, u64), ReadError> {
        let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let restoring = Self(Arc::new(Mutex::new(connection)));
        let begin = |connection: &Connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            connection.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0))
        };
        let there = restoring.call(begin).await?;
        Ok((restoring, there.unsigned_abs()))
    }

    pub(crate) async fn blobs(&self, blobs: Vec<DigestedBlob>) -> Result<(), ReadError> {
        self.call(move |connection| {
            let mut insert =
                connection.prepare_cached("INSERT OR IGNORE INTO blobs (sha256, size, encoding, bytes) VALUES (?, ?, ?, ?)")?;
            for DigestedBlob { digest, blob } in blobs {
                insert.execute(params![digest, blob.size, blob.encoding, blob.bytes])?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn events(&self, rows: Rows) -> Result<(), ReadError> {
        self.call(move |connection| insert(connection, &rows)).await
    }

    pub(crate) async fn commit(&self) -> Result<(), ReadError> {
        self.call(|connection| connection.execute_batch("COMMIT")).await
    }

    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, ReadError> {
        let connection = self.0.clone();
        let called = move || call(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        let done = tokio::task::spawn_blocking(called).await.map_err(|error| ReadError::damaged(error.to_string()))?;
        Ok(done?)
    }
}

fn insert(connection: &Connection, rows: &Rows) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached("INSERT INTO streams (id, aggregate_type, aggregate_id) VALUES (?, ?, ?)")?;
    for (id, stream) in &rows.streams {
        insert.execute(params![id, stream.aggregate_type, stream.aggregate_id])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO scopes (id, scope) VALUES (?, ?)")?;
    for (id, scope) in &rows.scopes {
        insert.execute(params![id, &scope.as_bytes()[..]])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO event_types (id, name, version) VALUES (?, ?, ?)")?;
    for (id, name, version) in &rows.types {
        insert.execute(params![id, name, version])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO metadata (id, json) VALUES (?, ?)")?;
    for (id, json) in &rows.metadata {
        insert.execute(params![id, String::from_utf8_lossy(json)])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO events (position, stream, sequence, scope, event_type, payload, metadata, recorded_at, leaf_hash) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for row in &rows.events {
        insert.execute(params![
            row.event.position.cast_signed(),
            row.stream,
            row.event.sequence.cast_signed(),
            row.scope,
            row.event_type,
            // Text in the database that it comes from, too, so nothing is ever replaced.
            String::from_utf8_lossy(&row.event.payload),
            row.metadata,
            row.event.recorded_at,
            row.event.leaf_hash
        ])?;
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO stream_runs (stream, sequence, position, events) VALUES (?, ?, ?, ?)")?;
    for run in &rows.stream_runs {
        insert.execute(params![run.of, run.sequence.cast_signed(), run.position.cast_signed(), run.events.cast_signed()])?;
    }
    let mut insert = connection.prepare_cached("INSERT INTO scope_runs (scope, position, events) VALUES (?, ?, ?)")?;
    for run in &rows.scope_runs {
        insert.execute(params![run.of, run.position.cast_signed(), run.events.cast_signed()])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO commands (stream, command, last_position, last_sequence) VALUES (?, ?, ?, ?)",
    )?;
    for ((stream, command), (position, sequence)) in &rows.commands {
        insert.execute(params![stream, &command.as_bytes()[..], position.cast_signed(), sequence.cast_signed()])?;
    }
    Ok(())
}
