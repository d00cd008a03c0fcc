//! Writing a backup's rows, in one transaction. The connection is dropped without a commit when something fails.

use super::{CONNECT_TIMEOUT, make_durable};
use crate::{
    backup::{DigestedBlob, Rows},
    error::ReadError,
    options::Durability,
};
use sqlx::{ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};
use std::borrow::Cow;
use tokio::time::timeout;
use uuid::Uuid;

/// Rows of one statement.
const CHUNK: usize = 4096;

#[derive(Debug)]
pub(crate) struct Restoring(PgConnection);

impl Restoring {
    /// Also says how many events are there. Nobody else appends from now on.
    pub(crate) async fn begin(url: &str) -> Result<(Self, u64), ReadError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("docket restore");
        let mut connection = timeout(CONNECT_TIMEOUT, options.connect()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        make_durable(&mut connection, Durability::Sync).await?;
        connection.execute("BEGIN; SELECT docket_lock_head()").await?;
        let (there,): (i64,) = sqlx::query_as("SELECT count(*) FROM log_events").fetch_one(&mut connection).await?;
        Ok((Self(connection), there.unsigned_abs()))
    }

    pub(crate) async fn blobs(&mut self, blobs: Vec<DigestedBlob>) -> Result<(), ReadError> {
        for DigestedBlob { digest, blob } in blobs {
            sqlx::query("INSERT INTO blobs (sha256, size, encoding, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
                .bind(&digest[..])
                .bind(blob.size)
                .bind(blob.encoding as i16)
                .bind(&blob.bytes)
                .execute(&mut self.0)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn events(&mut self, rows: Rows) -> Result<(), ReadError> {
        let Self(connection) = self;
        sqlx::query(
            "INSERT INTO streams (id, aggregate_type, aggregate_id) OVERRIDING SYSTEM VALUE \
             SELECT * FROM unnest($1::int[], $2::text[], $3::text[])",
        )
        .bind(rows.streams.iter().map(|(id, _)| *id as i32).collect::<Vec<_>>())
        .bind(rows.streams.iter().map(|(_, stream)| &*stream.aggregate_type).collect::<Vec<_>>())
        .bind(rows.streams.iter().map(|(_, stream)| &*stream.aggregate_id).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
        sqlx::query("INSERT INTO scopes (id, scope) OVERRIDING SYSTEM VALUE SELECT * FROM unnest($1::int[], $2::uuid[])")
            .bind(rows.scopes.iter().map(|(id, _)| *id as i32).collect::<Vec<_>>())
            .bind(rows.scopes.iter().map(|(_, scope)| *scope).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO event_types (id, name, version) OVERRIDING SYSTEM VALUE \
             SELECT * FROM unnest($1::int[], $2::text[], $3::text[])",
        )
        .bind(rows.types.iter().map(|(id, _, _)| *id as i32).collect::<Vec<_>>())
        .bind(rows.types.iter().map(|(_, name, _)| &**name).collect::<Vec<_>>())
        .bind(rows.types.iter().map(|(_, _, version)| &**version).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
        sqlx::query("INSERT INTO metadata (id, json) OVERRIDING SYSTEM VALUE SELECT * FROM unnest($1::int[], $2::text[])")
            .bind(rows.metadata.iter().map(|(id, _)| *id as i32).collect::<Vec<_>>())
            .bind(rows.metadata.iter().map(|(_, json)| text(json)).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        for events in rows.events.chunks(CHUNK) {
            sqlx::query(
                "INSERT INTO log_events (position, recorded_at, stream, sequence, metadata, scope, event_type, payload, leaf_hash) \
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], \
                     $8::text[], $9::bytea[])",
            )
            .bind(events.iter().map(|row| row.event.position.cast_signed()).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.event.recorded_at).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.stream as i32).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.event.sequence as i32).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.metadata as i32).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.scope.map(|scope| scope as i32)).collect::<Vec<_>>())
            .bind(events.iter().map(|row| row.event_type as i32).collect::<Vec<_>>())
            .bind(events.iter().map(|row| text(&row.event.payload)).collect::<Vec<_>>())
            .bind(events.iter().map(|row| &row.event.leaf_hash[..]).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        let commands: Vec<((i64, Uuid), (u64, u64))> = rows.commands.into_iter().collect();
        sqlx::query(
            "INSERT INTO commands (stream, command, last_position, last_sequence) \
             SELECT * FROM unnest($1::int[], $2::uuid[], $3::bigint[], $4::int[]) \
             ON CONFLICT (stream, command) DO UPDATE SET \
                 last_position = excluded.last_position, last_sequence = excluded.last_sequence",
        )
        .bind(commands.iter().map(|((stream, _), _)| *stream as i32).collect::<Vec<_>>())
        .bind(commands.iter().map(|((_, command), _)| *command).collect::<Vec<_>>())
        .bind(commands.iter().map(|(_, (position, _))| position.cast_signed()).collect::<Vec<_>>())
        .bind(commands.iter().map(|(_, (_, sequence))| *sequence as i32).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    pub(crate) async fn commit(&mut self) -> Result<(), ReadError> {
        for table in ["streams", "scopes", "event_types", "metadata"] {
            let next =
                format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false) FROM {table}");
            sqlx::query(&next).execute(&mut self.0).await?;
        }
        self.0.execute("COMMIT; ANALYZE streams, log_events").await?;
        Ok(())
    }
}

/// Text in the database that it comes from, too, so nothing is ever replaced.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
