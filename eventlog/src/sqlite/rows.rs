//! Inserting the rows of a plan, each table's with one statement that stays prepared.

use super::plan::Plan;
use rusqlite::{
    Connection, Statement, params,
    types::{ToSqlOutput, ValueRef},
};

impl Plan<'_> {
    pub(crate) fn insert(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let columns = "streams (id, aggregate_type, aggregate_id)";
        rows(connection, columns, &self.streams, |insert, (id, request)| {
            insert.execute(params![id, request.stream.aggregate_type, request.stream.aggregate_id])
        })?;
        rows(connection, "scopes (id, scope)", &self.scopes, |insert, (id, scope)| {
            insert.execute(params![id, scope.as_bytes()])
        })?;
        rows(connection, "event_types (id, name, version)", &self.types, |insert, (id, name, version)| {
            insert.execute(params![id, name, version])
        })?;
        rows(connection, "metadata (id, json)", &self.metadata, |insert, (id, json)| insert.execute(params![id, text(json)]))?;
        let columns = "events (position, stream, sequence, scope, event_type, payload, metadata, recorded_at, leaf_hash)";
        rows(connection, columns, &self.events, |insert, row| {
            insert.execute(params![
                row.event.position.cast_signed(),
                row.stream,
                row.event.sequence.cast_signed(),
                row.scope,
                row.event_type,
                text(&row.event.payload),
                row.metadata,
                row.event.recorded_at,
                row.event.leaf_hash,
            ])
        })?;
        rows(connection, "stream_runs (stream, sequence, position, events)", &self.stream_runs, |insert, run| {
            let (sequence, position) = (run.sequence.cast_signed(), run.position.cast_signed());
            insert.execute(params![run.stream, sequence, position, run.events.cast_signed()])
        })?;
        rows(connection, "scope_runs (scope, position, events)", &self.scope_runs, |insert, run| {
            insert.execute(params![run.scope, run.position.cast_signed(), run.events.cast_signed()])
        })?;
        rows(connection, "commands (stream, command, last_position, last_sequence)", &self.commands, |insert, row| {
            let (position, sequence) = (row.last_position.cast_signed(), row.last_sequence.cast_signed());
            insert.execute(params![row.stream, row.command.as_bytes(), position, sequence])
        })?;
        for blob in self.written.iter().flat_map(|request| &request.blobs) {
            connection
                .prepare_cached("INSERT OR IGNORE INTO blobs (sha256, size, encoding, bytes) VALUES (?, ?, ?, ?)")?
                .execute(params![blob.digest, blob.size as i64, blob.encoding as i64, &blob.stored[..]])?;
        }
        Ok(())
    }
}

/// `table` names its columns.
fn rows<T>(
    connection: &Connection,
    table: &str,
    rows: &[T],
    insert: impl Fn(&mut Statement<'_>, &T) -> Result<usize, rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let values = vec!["?"; table.split(',').count()].join(", ");
    let mut statement = connection.prepare_cached(&format!("INSERT INTO {table} VALUES ({values})"))?;
    for row in rows {
        insert(&mut statement, row)?;
    }
    Ok(())
}

/// The bytes as text; that they are UTF-8 was checked when they came in.
fn text(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(bytes))
}
