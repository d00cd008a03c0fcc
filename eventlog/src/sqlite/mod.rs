//! The log in a SQLite file: one process, one writing connection, a few reading ones.

mod known;
mod lock;
mod plan;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

use crate::{
    error::OpenError,
    options::{Durability, Options},
};
use lock::Lock;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// Connections that read. SQLite readers do not wait for the writer, but each is a thread.
const READERS: u32 = 4;

/// Opens the file, creating it if need be, and brings its tables up to date. Gives the position it reaches to, too.
pub(crate) async fn open(path: &Path, options: &Options) -> Result<(Writer, Reader, u64), OpenError> {
    let lock = Lock::take(path)?;
    let base = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        // Rows that a statement's thread hands over at a time: with the default of 50 a reader and it wake each other all the time.
        .row_buffer_size(1024);
    let writing = base
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.durability {
            Durability::Sync => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
        })
        // On macOS fsync alone leaves the data in the drive's cache. Elsewhere these do nothing.
        .pragma("fullfsync", if options.durability == Durability::Sync { "1" } else { "0" })
        .pragma("checkpoint_fullfsync", if options.durability == Durability::Sync { "1" } else { "0" });

    let mut connection = writing.connect().await?;
    docket_migrations::sqlite().run_direct(&mut connection).await?;
    connection.close().await?;

    let mut writer = Writer::new(writing, options.durability, lock);
    let head = writer.connect().await?;
    let pool = SqlitePoolOptions::new().max_connections(READERS).connect_with(base.read_only(true)).await?;
    Ok((writer, Reader::new(pool), head))
}
