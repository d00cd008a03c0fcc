//! A database for a test, and short ways to say common things.

use docket_eventlog::{DatabaseUrl, Log, Options, Recorded};
pub use docket_tests::log::*;
use docket_tests::postgres::Database;
use std::sync::Arc;
use tempfile::TempDir;

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
macro_rules! on_both {
    ($($name:ident)+) => {
        mod sqlite {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::fixture::Fixture::sqlite()).await;
            }
        )+}
        mod postgres {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::fixture::Fixture::postgres()).await;
            }
        )+}
    };
}
pub(crate) use on_both;

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
