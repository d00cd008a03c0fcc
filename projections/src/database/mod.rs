//! The database of the views: SQLite (a file of its own) or Postgres (a schema of its own), with one SQL text for both.
//!
//! Views are disposable and their checkpoint is written in the same transaction, so neither database waits for the disk
//! here: what a crash takes back is projected again.

mod documents;
mod query;
mod row;
mod rows;
mod transaction;
mod value;

pub use documents::documents;
pub use query::{Conditions, beginning_with, containing};
pub use row::Row;
pub use rows::{Upsert, parameters};
pub use transaction::Transaction;
pub use value::Value;

use crate::generation::Generation;
use docket_eventlog::DatabaseUrl;
use sqlx::{
    PgPool, SqlitePool, TransactionManager,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{str::FromStr, time::Duration};

/// The schema of the views on Postgres.
pub const SCHEMA: &str = "views";
/// What its connections call themselves on Postgres.
const APPLICATION: &str = "docket-projections";
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const READERS: u32 = 4;
const CONNECTIONS: u32 = 12;
/// Serialises the creation of tables between processes; "views" in ASCII.
const DDL_LOCK: i64 = 0x0076_6965_7773;

#[derive(Clone, Debug)]
pub enum Database {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { pool: PgPool, options: Box<PgConnectOptions>, schema: String },
}

impl Database {
    /// Opens the views' database, and makes it if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(url: &DatabaseUrl) -> sqlx::Result<Self> {
        Self::open_in_schema(url, SCHEMA).await
    }

    /// Like [`Database::open`], in another schema of Postgres; in SQLite, the path alone says where it is.
    ///
    /// # Errors
    /// When it cannot be opened, or the schema's name is not plain (lower-case letters, digits, underscores).
    pub async fn open_in_schema(url: &DatabaseUrl, schema: &str) -> sqlx::Result<Self> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .busy_timeout(Duration::from_secs(30));
                let writer = SqlitePoolOptions::new()
                    .max_connections(1)
                    // A transaction that SQLite has ended itself, because the disk is full, leaves a connection that counts it for
                    // ever.
                    .before_acquire(|connection, _| {
                        let idle = <sqlx::Sqlite as sqlx::Database>::TransactionManager::get_transaction_depth(connection) == 0;
                        Box::pin(async move { Ok(idle) })
                    })
                    .connect_with(options.clone())
                    .await?;
                let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
                Ok(Self::Sqlite { writer, readers })
            }
            DatabaseUrl::Postgres(url) => {
                if !schema.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                    return Err(sqlx::Error::Configuration(format!("schema {schema:?} is not a plain name").into()));
                }
                let options = PgConnectOptions::from_str(url)?
                    .application_name(APPLICATION)
                    .options([("search_path", schema), ("synchronous_commit", "off")]);
                let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options.clone()).await?;
                Ok(Self::Postgres { pool, options: Box::new(options), schema: schema.to_owned() })
            }
            DatabaseUrl::Kurrentdb(_) => Err(sqlx::Error::Configuration("views lie in SQLite or in Postgres".into())),
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> sqlx::Result<Transaction> {
        match self {
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Transaction::sqlite),
            Self::Postgres { pool, .. } => pool.begin().await.map(Transaction::postgres),
        }
    }

    /// Begins a transaction that reads one state of the database, whatever is written meanwhile.
    pub async fn read(&self) -> sqlx::Result<Transaction> {
        match self {
            Self::Sqlite { readers, .. } => readers.begin().await.map(Transaction::sqlite),
            Self::Postgres { pool, .. } => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(Transaction::postgres)
            }
        }
    }

    /// Makes tables or indexes that are missing, one process at a time; of one generation, or those that all share.
    pub(crate) async fn create(&self, statements: &[impl AsRef<str>], generation: Option<&Generation>) -> sqlx::Result<()> {
        let mut tx = self.begin().await?;
        if let Some(generation) = generation {
            tx = tx.on(generation);
        }
        if let Self::Postgres { schema, .. } = self {
            tx.execute("SELECT pg_advisory_xact_lock($1)", vec![Value::int(DDL_LOCK)]).await?;
            tx.execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"), vec![]).await?;
        }
        for statement in statements {
            tx.execute(statement.as_ref(), vec![]).await?;
        }
        tx.commit().await
    }

    /// From here to the end of the transaction nobody else writes this table, as is always so on SQLite.
    pub(crate) async fn alone_on(&self, tx: &mut Transaction, table: &str) -> sqlx::Result<()> {
        if let Self::Postgres { .. } = self {
            tx.execute(&format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"), vec![]).await?;
        }
        Ok(())
    }

    /// When every transaction that is open now has ended, nobody reads any more what was retired before. On SQLite a reader keeps
    /// even a dropped table for as long as its transaction lasts, so nobody need wait.
    pub(crate) async fn readers_gone(&self) -> sqlx::Result<()> {
        let Self::Postgres { pool, .. } = self else { return Ok(()) };
        let (now,): (i64,) = sqlx::query_as(&format!("SELECT {} ", micros("clock_timestamp()"))).fetch_one(pool).await?;
        let open = format!(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 \
             AND pid <> pg_backend_pid() AND {} <= $2",
            micros("xact_start")
        );
        loop {
            let (count,): (i64,) = sqlx::query_as(&open).bind(APPLICATION).bind(now).fetch_one(pool).await?;
            if count == 0 {
                return Ok(());
            }
            // Nothing wakes us when another process ends a transaction.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, .. } => pool.close().await,
        }
    }
}

/// µs since 1970 of a timestamp of Postgres.
fn micros(timestamp: &str) -> String {
    format!("(EXTRACT(EPOCH FROM {timestamp}) * 1000000)::bigint")
}
