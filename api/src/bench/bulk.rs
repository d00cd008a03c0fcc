//! The ceiling: rows of the same tables, inserted by one connection and one statement a transaction, and nothing else done.

use super::{
    load::{Done, context, metadata, requested, tokens},
    samples::Samples,
};
use anyhow::{Context as _, Result};
use docket_domain::{
    ids::ChatId,
    model_call::{ModelCall, ModelCallCommand},
};
use docket_eventlog::{Aggregates, DatabaseUrl, Log, Options};
use rusqlite::params;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Where the rows of the one stream go on.
const AFTER: i64 = 1;

enum Connected {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

/// Inserts batches of so many rows into an empty database for as long as `time`.
pub(super) async fn insert(url: &DatabaseUrl, rows: u64, time: Duration) -> Result<Done> {
    let id = Uuid::now_v7();
    make_tables(url, id).await?;
    let mut connected = connect(url).await?;
    let payloads: Result<Vec<String>, _> = tokens(0, rows).iter().map(serde_json::to_string).collect();
    let batch = Batch { payloads: payloads?, leaf: [7; 32] };
    let (begin, mut requests, mut next) = (Instant::now(), Samples::default(), AFTER + 1);
    while begin.elapsed() < time {
        let one = Instant::now();
        match &mut connected {
            Connected::Sqlite(connection) => batch.to_sqlite(connection, next)?,
            Connected::Postgres(connection) => batch.to_postgres(connection, next).await?,
        }
        requests.add(one.elapsed());
        next += batch.payloads.len() as i64;
    }
    let (events, elapsed) = ((next - AFTER - 1).unsigned_abs(), begin.elapsed());
    if let Connected::Postgres(connection) = connected {
        connection.close().await?;
    }
    Ok(Done { events, elapsed, requests })
}

/// The log makes the tables, and with its first event the rows that all others refer to: each is number 1.
async fn make_tables(url: &DatabaseUrl, id: Uuid) -> Result<()> {
    let log = Log::open(url, Options::default()).await?;
    let calls = Aggregates::<ModelCall>::new(log.clone());
    let chat = ChatId(id);
    let request = ModelCallCommand::Request(requested(chat)?);
    let done = calls.execute(id, Some(id), metadata(log.worker(), chat), &context(), request, vec![]).await?;
    anyhow::ensure!(done.position == AFTER.unsigned_abs(), "the database was not empty");
    log.close().await;
    Ok(())
}

/// As durable as the log is.
async fn connect(url: &DatabaseUrl) -> Result<Connected> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Connected::Sqlite(sqlite(path)?),
        DatabaseUrl::Postgres(url) => {
            let options: PgConnectOptions = url.parse().context("the scratch database's URL")?;
            Connected::Postgres(options.connect().await?)
        }
        DatabaseUrl::Kurrentdb(_) => anyhow::bail!("there is no measure for KurrentDB"),
    })
}

fn sqlite(path: &Path) -> Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

struct Batch {
    payloads: Vec<String>,
    leaf: [u8; 32],
}

impl Batch {
    /// Prepared statements of many rows each, which takes a fifth less than row by row; and what an append has besides its rows.
    fn to_sqlite(&self, connection: &mut rusqlite::Connection, first: i64) -> Result<()> {
        const ROWS: usize = 50;
        let transaction = connection.transaction()?;
        for (payloads, first) in self.payloads.chunks(ROWS).zip((first..).step_by(ROWS)) {
            let rows = vec!["(?,1,?,1,1,?,1,?,?)"; payloads.len()].join(",");
            let mut insert = transaction.prepare_cached(&format!(
                "INSERT INTO events (position, stream, sequence, scope, event_type, payload, metadata, recorded_at, leaf_hash) \
                 VALUES {rows}"
            ))?;
            for ((position, payload), parameter) in (first..).zip(payloads).zip((1..).step_by(5)) {
                insert.raw_bind_parameter(parameter, position)?;
                insert.raw_bind_parameter(parameter + 1, position)?;
                insert.raw_bind_parameter(parameter + 2, payload)?;
                insert.raw_bind_parameter(parameter + 3, position)?;
                insert.raw_bind_parameter(parameter + 4, self.leaf)?;
            }
            insert.raw_execute()?;
        }
        let events = self.payloads.len() as i64;
        transaction
            .prepare_cached("INSERT INTO stream_runs (stream, sequence, position, events) VALUES (1, ?, ?, ?)")?
            .execute(params![first, first, events])?;
        transaction
            .prepare_cached("INSERT INTO scope_runs (scope, position, events) VALUES (1, ?, ?)")?
            .execute(params![first, events])?;
        transaction.commit()?;
        Ok(())
    }

    async fn to_postgres(&self, connection: &mut PgConnection, first: i64) -> Result<()> {
        // Below ten thousand rows COPY is no faster.
        const INSERT: &str = "INSERT INTO log_events (position, recorded_at, stream, sequence, metadata, scope, event_type, payload, \
                leaf_hash) \
            SELECT position, position, 1, position, 1, 1, 1, payload, $1 \
            FROM unnest($2::bigint[], $3::text[]) AS row (position, payload)";
        let positions: Vec<i64> = (first..).take(self.payloads.len()).collect();
        let insert = sqlx::query(INSERT).bind(&self.leaf[..]).bind(positions).bind(&self.payloads);
        insert.execute(connection).await?;
        Ok(())
    }
}
