//! What an event that carries one short token takes on the disk, with all indexes and whatever else its append leaves behind.

use super::{
    load::{metadata, tokens},
    measured::Measured,
    report::Figure,
    run::Bench,
};
use anyhow::{Context, Result};
use docket_domain::ids::ChatId;
use docket_eventlog::{Append, DatabaseUrl, Expected, Log, NewEvent, Options, StreamId};
use futures_util::future::try_join_all;
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use std::path::Path;
use uuid::Uuid;

const EVENTS: u64 = 100_000;
/// Chats that stream at the same time, so that their events lie among each other.
const CHATS: u64 = 100;
/// Events of a request: where the model is fast, and where each token is alone.
const REQUESTS: [u64; 2] = [20, 1];

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        for request in REQUESTS {
            let database = bench.scratch.database(backend).await?;
            let used = used(&database.url, request).await;
            bench.scratch.remove(database).await?;
            let used = used.with_context(|| backend.to_string())?;
            let each = if request == 1 { "1 event".to_owned() } else { format!("{request} events") };
            let name = format!("{backend}, {CHATS} chats, {each} a request, on disk");
            measured.add(Figure::new(name, used.disk, "bytes").beside("payload", used.payload));
        }
    }
    Ok(())
}

/// Bytes of an event.
struct Used {
    disk: f64,
    payload: f64,
}

async fn used(url: &DatabaseUrl, request: u64) -> Result<Used> {
    let log = Log::open(url, Options::default()).await?;
    // The tables are there, and with the first events the rows that all others refer to.
    let chats: Vec<ChatId> = (0..CHATS).map(|_| ChatId(Uuid::now_v7())).collect();
    try_join_all(chats.iter().map(|chat| append(&log, *chat, 0, 1))).await?;
    let before = size(url).await?;
    let mut payload = 0;
    for index in (1..=EVENTS / CHATS).step_by(usize::try_from(request)?) {
        payload += try_join_all(chats.iter().map(|chat| append(&log, *chat, index, request))).await?.into_iter().sum::<usize>();
    }
    let after = size(url).await?;
    log.close().await;
    Ok(Used { disk: (after - before) as f64 / EVENTS as f64, payload: payload as f64 / EVENTS as f64 })
}

/// Gives the bytes of the payloads.
async fn append(log: &Log, chat: ChatId, from: u64, count: u64) -> Result<usize> {
    let encode = |event| {
        let (event_type, event_version) = ("model_call.text_streamed".into(), "1".into());
        Ok(NewEvent { event_type, event_version, payload: serde_json::to_vec(&event)?.into() })
    };
    let events: Vec<NewEvent> = tokens(from, count).into_iter().map(encode).collect::<Result<_>>()?;
    let bytes = events.iter().map(|event| event.payload.len()).sum();
    let (stream, scope) = (StreamId::new("model_call", chat.0.to_string()), Some(chat.0));
    let metadata = metadata(log.worker(), chat);
    log.append(Append { stream, scope, expected: Expected::Any, events, blobs: vec![], metadata }).await?;
    Ok(bytes)
}

/// What the database takes.
async fn size(url: &DatabaseUrl) -> Result<i64> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite(path),
        DatabaseUrl::Postgres(url) => {
            let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
            let size = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class \
                        WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
            let size = sqlx::query_scalar(size).fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok(size)
        }
        DatabaseUrl::Kurrentdb(_) => anyhow::bail!("there is no measure for KurrentDB"),
    }
}

/// The file, with everything in it.
fn sqlite(path: &Path) -> Result<i64> {
    let connection = rusqlite::Connection::open(path)?;
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
    anyhow::ensure!(!busy, "the write-ahead log could not be copied into the file");
    Ok(i64::try_from(std::fs::metadata(path)?.len())?)
}
