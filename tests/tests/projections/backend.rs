//! A log and a database of views, on either backend.

use docket_eventlog::{DatabaseUrl, Durability, Log, Options};
use docket_projections::{Comparison, Database, Set, diff, rebuild_into};
use docket_tests::postgres;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything takes; only a failure waits for its end.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Where everything of one test lies.
pub struct Backend {
    folder: TempDir,
    postgres: Option<postgres::Database>,
}

impl Backend {
    pub fn new(kind: Kind) -> Self {
        let postgres = (kind == Kind::Postgres).then(postgres::Database::create);
        Self { folder: tempfile::tempdir().unwrap(), postgres }
    }

    pub async fn log(&self) -> Log {
        let url = match &self.postgres {
            Some(postgres) => DatabaseUrl::Postgres(postgres.url()),
            None => DatabaseUrl::Sqlite(self.folder.path().join("log.db")),
        };
        Log::open(&url, Options { durability: Durability::Relaxed, ..Options::default() }).await.unwrap()
    }

    /// The views of this name: a file, or a schema.
    pub async fn views(&self, name: &str) -> Database {
        let url = match &self.postgres {
            Some(postgres) => DatabaseUrl::Postgres(postgres.url()),
            None => DatabaseUrl::Sqlite(self.folder.path().join(format!("{name}.db"))),
        };
        Database::open_in_schema(&url, name).await.unwrap()
    }

    /// Rebuilds everything beside the views and compares.
    pub async fn compare_with_rebuilt(&self, log: &Log, live: &Database) -> Comparison {
        let fresh = self.views("fresh").await;
        let head = log.head().await.unwrap();
        rebuild_into(&Set::standard(), log, &fresh, head).await.unwrap();
        let comparison = diff(&Set::standard(), live, &fresh).await.unwrap();
        fresh.close().await;
        comparison
    }
}

/// Both databases have the same rows, and some.
pub fn assert_same(comparison: &Comparison) {
    assert!(comparison.rows > 0, "there is nothing to compare");
    assert_eq!(comparison.checkpoints, []);
    let shown: Vec<_> = comparison.differences.iter().take(5).collect();
    assert!(shown.is_empty(), "{} differences, among them {shown:#?}", comparison.differences.len());
}
