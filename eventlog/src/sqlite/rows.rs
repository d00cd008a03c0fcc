//! Inserting many rows with few statements: one by one they would cost several times as much.

use super::plan::{CommandRow, EventRow, Plan};
use crate::blob::Blob;
use bytes::Bytes;
use sqlx::{Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};
use std::{borrow::Cow, sync::Arc};
use uuid::Uuid;

type Insert<'q> = Query<'q, Sqlite, SqliteArguments<'q>>;

/// Rows of one statement. Few sizes, so that each statement is prepared once.
const SIZES: [usize; 4] = [512, 64, 8, 1];

impl Plan<'_> {
    pub(crate) async fn insert(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let streams: Vec<_> = self.streams.iter().map(|(id, request)| (*id, &request.stream)).collect();
        rows(connection, "streams (id, aggregate_type, aggregate_id)", 3, &streams, |insert, (id, stream)| {
            insert.bind(id).bind(&*stream.aggregate_type).bind(&*stream.aggregate_id)
        })
        .await?;
        rows(connection, "scopes (id, scope)", 2, &self.scopes, |insert, (id, scope): &(i64, Uuid)| {
            insert.bind(id).bind(scope)
        })
        .await?;
        let types = &self.types;
        rows(
            connection,
            "event_types (id, name, version)",
            3,
            types,
            |insert, (id, name, version): &(_, Arc<str>, Arc<str>)| insert.bind::<&i64>(id).bind(&**name).bind(&**version),
        )
        .await?;
        rows(connection, "metadata (id, json)", 2, &self.metadata, |insert, (id, json): &(i64, Bytes)| {
            insert.bind(id).bind(text(json))
        })
        .await?;
        let columns = "events (position, stream, sequence, scope, event_type, payload, metadata, recorded_at, leaf_hash)";
        rows(connection, columns, 9, &self.events, bind_event).await?;
        let columns = "commands (stream, command, last_position, last_sequence)";
        rows(connection, columns, 4, &self.commands, bind_command).await?;
        for blob in self.written.iter().flat_map(|request| &request.blobs) {
            insert_blob(connection, blob).await?;
        }
        Ok(())
    }
}

async fn rows<T>(
    connection: &mut SqliteConnection,
    table: &str,
    columns: usize,
    mut rows: &[T],
    bind: impl for<'q> Fn(Insert<'q>, &'q T) -> Insert<'q>,
) -> Result<(), sqlx::Error> {
    let row = format!("({})", vec!["?"; columns].join(","));
    for size in SIZES {
        if rows.len() < size {
            continue;
        }
        let statement = format!("INSERT INTO {table} VALUES {}", vec![&*row; size].join(","));
        while let Some((chunk, rest)) = rows.split_at_checked(size) {
            chunk.iter().fold(sqlx::query(&statement), &bind).execute(&mut *connection).await?;
            rows = rest;
        }
    }
    Ok(())
}

fn bind_event<'q>(insert: Insert<'q>, row: &'q EventRow) -> Insert<'q> {
    insert
        .bind(row.event.position.cast_signed())
        .bind(row.stream)
        .bind(row.event.sequence.cast_signed())
        .bind(row.scope)
        .bind(row.event_type)
        .bind(text(&row.event.payload))
        .bind(row.metadata)
        .bind(row.event.recorded_at)
        .bind(&row.event.leaf_hash[..])
}

fn bind_command<'q>(insert: Insert<'q>, row: &'q CommandRow) -> Insert<'q> {
    insert.bind(row.stream).bind(row.command).bind(row.last_position.cast_signed()).bind(row.last_sequence.cast_signed())
}

async fn insert_blob(connection: &mut SqliteConnection, blob: &Blob) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR IGNORE INTO blobs (sha256, size, encoding, bytes) VALUES (?, ?, ?, ?)")
        .bind(&blob.digest[..])
        .bind(blob.size as i64)
        .bind(blob.encoding as i64)
        .bind(&blob.stored[..])
        .execute(connection)
        .await?;
    Ok(())
}

/// The bytes as text. They were checked when they came in, so nothing is ever replaced.
fn text(bytes: &Bytes) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
