//! Inserting the rows of a plan, each with a statement that stays prepared.

use super::plan::Plan;
use rusqlite::{
    Connection, Statement, params,
    types::{ToSqlOutput, ValueRef},
};

impl Plan<'_> {
    pub(crate) fn insert(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        rows(
            connection,
            "INSERT INTO streams (id, aggregate_type, aggregate_id) VALUES (?, ?, ?)",
            &self.streams,
            |insert, (id, request)| insert.execute(params![id, request.stream.aggregate_type, request.stream.aggregate_id]),
        )?;
        rows(connection, "INSERT INTO scopes (id, scope) VALUES (?, ?)", &self.scopes, |insert, (id, scope)| {
            insert.execute(params![id, scope.as_bytes()])
        })?;
        rows(
            connection,
            "INSERT INTO event_types (id, name, version) VALUES (?, ?, ?)",
            &self.types,
            |insert, (id, name, version)| insert.execute(params![id, name, version]),
        )?;
        rows(connection, "INSERT INTO metadata (id, json) VALUES (?, ?)", &self.metadata, |insert, (id, json)| {
            insert.execute(params![id, text(json)])
        })?;
        let events = "INSERT INTO events (position, stream, sequence, scope, event_type, payload, metadata, recorded_at, leaf_hash) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        rows(connection, events, &self.events, |insert, row| {
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
        rows(
            connection,
            "INSERT INTO commands (stream, command, last_position, last_sequence) VALUES (?, ?, ?, ?)",
            &self.commands,
            |insert, row| {
                let (position, sequence) = (row.last_position.cast_signed(), row.last_sequence.cast_signed());
                insert.execute(params![row.stream, row.command.as_bytes(), position, sequence])
            },
        )?;
        let blobs: Vec<_> = self.written.iter().flat_map(|request| &request.blobs).collect();
        rows(
            connection,
            "INSERT OR IGNORE INTO blobs (sha256, size, encoding, bytes) VALUES (?, ?, ?, ?)",
            &blobs,
            |insert, blob| insert.execute(params![blob.digest, blob.size as i64, blob.encoding as i64, &blob.stored[..]]),
        )
    }
}

fn rows<T>(
    connection: &Connection,
    statement: &str,
    rows: &[T],
    insert: impl Fn(&mut Statement<'_>, &T) -> Result<usize, rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(statement)?;
    for row in rows {
        insert(&mut statement, row)?;
    }
    Ok(())
}

/// The bytes as text; that they are UTF-8 was checked when they came in.
fn text(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(bytes))
}
