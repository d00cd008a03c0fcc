//! A database for a test of the log, and short ways to say common things.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use crate::postgres::Database;
use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, Appended, DatabaseUrl, Expected, Filter, Log, NewEvent, Options, Recorded, StreamId};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

#[derive(Debug)]
pub enum Fixture {
    Sqlite(TempDir),
    Postgres(Database),
}

impl Fixture {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Postgres(Database::create())
    }

    pub fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(folder) => DatabaseUrl::Sqlite(folder.path().join("log.db")),
            Self::Postgres(database) => DatabaseUrl::Postgres(database.url()),
        }
    }

    pub async fn open(&self) -> Log {
        Log::open(&self.url(), Options::default()).await.unwrap()
    }

    /// Runs SQL beside the log. Gives the error's text.
    pub async fn sql(&self, sql: &str) -> Result<(), String> {
        let text = |error: sqlx::Error| error.to_string();
        match self.url() {
            DatabaseUrl::Sqlite(path) => {
                let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.map_err(text)?;
                sqlx::raw_sql(sql).execute(&pool).await.map_err(text)?;
                pool.close().await;
            }
            DatabaseUrl::Postgres(url) => {
                let pool = sqlx::PgPool::connect(&url).await.map_err(text)?;
                sqlx::raw_sql(sql).execute(&pool).await.map_err(text)?;
                pool.close().await;
            }
            DatabaseUrl::Kurrentdb(_) => unreachable!(),
        }
        Ok(())
    }
}

/// Makes a test of each function for each database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::fixture::Fixture::sqlite()).await;
            }
        )+}
        mod postgres {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::fixture::Fixture::postgres()).await;
            }
        )+}
    };
}
pub use on_both;

pub fn chat(id: impl std::fmt::Display) -> StreamId {
    StreamId::new("chat", id.to_string())
}

pub fn event(payload: impl Into<String>) -> NewEvent {
    NewEvent { event_type: "chat.noted".into(), event_version: "1.0".into(), payload: payload.into().into() }
}

/// One event on a stream, whatever it is like.
pub fn append(stream: &StreamId, payload: impl Into<String>) -> Append {
    Append {
        stream: stream.clone(),
        scope: None,
        expected: Expected::Any,
        events: vec![event(payload)],
        blobs: Vec::new(),
        metadata: Metadata::system(),
    }
}

pub fn expecting(expected: Expected, append: Append) -> Append {
    Append { expected, ..append }
}

pub fn commanded(command: Uuid, append: Append) -> Append {
    Append { metadata: Metadata::system().commanded(CommandId(command)), ..append }
}

pub fn new(last_position: u64, last_sequence: u64) -> Appended {
    Appended { last_position, last_sequence, repeated: false }
}

/// The whole log, page by page.
pub async fn everything(log: &Log) -> Vec<Arc<Recorded>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = log.read_all(after, &Filter::all(), 500).await.unwrap();
        if page.through == after {
            return events;
        }
        after = page.through;
        events.extend(page.events);
    }
}

/// Fails unless the log is what it always is: dense, each stream dense, times in order, hashes right.
pub async fn assert_sound(log: &Log) -> Vec<Arc<Recorded>> {
    let events = everything(log).await;
    let mut sequences = std::collections::HashMap::new();
    for (position, event) in (1..).zip(&events) {
        assert_eq!(event.position, position);
        let sequence: &mut u64 = sequences.entry(event.stream.clone()).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{}", event.stream);
        assert_eq!(event.leaf_hash, event.computed_leaf_hash());
    }
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
    assert_eq!(log.head().await.unwrap(), events.len() as u64);
    events
}
