//! Catching up with the log: how fast a reader that begins at position 0 gets everything.

use super::{
    load::{metadata, tokens},
    measured::Measured,
    report::Figure,
    run::Bench,
    scratch::Backend,
};
use anyhow::{Context, Result};
use docket_domain::ids::ChatId;
use docket_eventlog::{Append, DatabaseUrl, Expected, Filter, Log, NewEvent, Options, StreamId};
use sqlx::{ConnectOptions, Connection, Row, postgres::PgConnectOptions};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

const EVENTS: u64 = 200_000;
/// Chats that the events belong to, in turn.
const CHATS: u64 = 20;
const APPEND: u64 = 1000;
const PAGE: usize = 1000;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        on(bench, backend, measured).await.with_context(|| backend.to_string())?;
    }
    Ok(())
}

async fn on(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let database = bench.scratch.database(backend).await?;
    let scope = fill(&database.url).await?;
    // Opened anew, so that nothing is in memory.
    let log = Log::open(&database.url, Options::default()).await?;
    let (mut whole, mut chat, mut bare) = (Read::default(), Read::default(), Read::default());
    let begin = Instant::now();
    while begin.elapsed() < bench.time {
        bare.add(EVENTS, select(&database.url)).await?;
        whole.add(EVENTS, catch_up(&log, &Filter::all())).await?;
        chat.add(EVENTS / CHATS, catch_up(&log, &Filter::scope(scope))).await?;
    }
    log.close().await;
    bench.scratch.remove(database).await?;
    let name = format!("{backend}, whole log of {EVENTS} in pages of {PAGE}");
    measured.add(Figure::new(name, whole.per_second(), "events/s").beside("bare SELECT", bare.per_second()));
    measured.figure(&format!("{backend}, one chat of {CHATS}"), chat.per_second(), "events/s");
    Ok(())
}

/// What was read, in several rounds.
#[derive(Default)]
struct Read {
    events: u64,
    elapsed: Duration,
}

impl Read {
    async fn add(&mut self, expected: u64, read: impl Future<Output = Result<u64>>) -> Result<()> {
        let begin = Instant::now();
        let count = read.await?;
        self.elapsed += begin.elapsed();
        self.events += count;
        anyhow::ensure!(count == expected, "{count} of {expected} events were read");
        Ok(())
    }

    fn per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }
}

/// Gives the scope of one of the chats.
async fn fill(url: &DatabaseUrl) -> Result<Uuid> {
    let log = Log::open(url, Options::default()).await?;
    let chats: Vec<Uuid> = (0..CHATS).map(|_| Uuid::now_v7()).collect();
    for (number, chat) in (0..EVENTS / APPEND).zip(chats.iter().cycle()) {
        let encode = |event| {
            let (event_type, event_version) = ("model_call.text_streamed".into(), "1".into());
            Ok(NewEvent { event_type, event_version, payload: serde_json::to_vec(&event)?.into() })
        };
        let events: Result<_> = tokens(number * APPEND, APPEND).into_iter().map(encode).collect();
        let append = Append {
            stream: StreamId::new("model_call", chat.to_string()),
            scope: Some(*chat),
            expected: Expected::Any,
            events: events?,
            blobs: vec![],
            metadata: metadata(log.worker(), ChatId(*chat)),
        };
        log.append(append).await?;
    }
    log.close().await;
    chats.first().copied().context("no chats")
}

async fn catch_up(log: &Log, filter: &Filter) -> Result<u64> {
    let (mut count, mut after) = (0, 0);
    loop {
        let page = log.read_all(after, filter, PAGE).await?;
        count += page.events.len() as u64;
        if page.through == after {
            return Ok(count);
        }
        after = page.through;
    }
}

/// The ceiling: the same payloads and hashes are just selected, in the same pages.
async fn select(url: &DatabaseUrl) -> Result<u64> {
    match url {
        DatabaseUrl::Sqlite(path) => select_from_sqlite(path),
        DatabaseUrl::Postgres(url) => select_from_postgres(url).await,
        DatabaseUrl::Kurrentdb(_) => anyhow::bail!("there is no measure for KurrentDB"),
    }
}

fn select_from_sqlite(path: &Path) -> Result<u64> {
    let connection = rusqlite::Connection::open(path)?;
    let mut statement =
        connection.prepare("SELECT position, payload, leaf_hash FROM events WHERE position > ? ORDER BY position LIMIT ?")?;
    let (mut count, mut after) = (0_u64, 0_i64);
    loop {
        let (mut rows, before) = (statement.query([after, PAGE as i64])?, count);
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            count += u64::from(!row.get_ref(1)?.as_bytes()?.is_empty() && !row.get_ref(2)?.as_bytes()?.is_empty());
        }
        if count == before {
            return Ok(count);
        }
    }
}

async fn select_from_postgres(url: &str) -> Result<u64> {
    const SELECT: &str = "SELECT position, payload, leaf_hash FROM log_events WHERE position > $1 ORDER BY position LIMIT $2";
    let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
    let (mut count, mut after) = (0_u64, 0_i64);
    loop {
        let rows = sqlx::query(SELECT).bind(after).bind(PAGE as i64).fetch_all(&mut connection).await?;
        for row in &rows {
            after = row.try_get(0)?;
            let (payload, leaf): (&str, &[u8]) = (row.try_get(1)?, row.try_get(2)?);
            count += u64::from(!payload.is_empty() && !leaf.is_empty());
        }
        if rows.is_empty() {
            break;
        }
    }
    connection.close().await?;
    Ok(count)
}
