//! The log in a SQLite file: one process, one writing connection, a few reading ones.
//!
//! Calls of SQLite block, so the writer has a thread of its own and the readers use threads for such calls.

mod connection;
mod known;
mod lock;
mod payloads;
mod plan;
mod pool;
mod reader;
mod referred;
mod restore;
mod rows;
mod scan;
mod segments;
mod selection;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use restore::Restoring;
pub(crate) use segments::Segments;
pub(crate) use writer::Writer;

use crate::{error::OpenError, options::Options};
use lock::Lock;
use pool::Pool;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use std::{path::Path, time::Duration};

/// Opens the file, creating it if need be, and brings its tables up to date. Gives the position it reaches to, too.
pub(crate) async fn open(path: &Path, options: &Options) -> Result<(Writer, Reader, u64), OpenError> {
    let lock = Lock::take(path)?;
    migrate(path).await?;
    let mut writer = Writer::new(path.to_owned(), options.durability, lock);
    let connecting = move || writer.connect().map(|head| (writer, head));
    let (writer, head) = match tokio::task::spawn_blocking(connecting).await {
        Ok(connected) => connected?,
        Err(error) => return Err(OpenError::Unsuitable(error.to_string())),
    };
    Ok((writer, Reader::new(Pool::new(path.to_owned())), head))
}

/// The side that reads, of a file that another process may have.
pub(crate) fn read_only(path: &Path) -> Reader {
    Reader::new(Pool::new(path.to_owned()))
}

/// The one thing that is done through sqlx here, because it has the migrations of both databases.
async fn migrate(path: &Path) -> Result<(), OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(false)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = options.connect().await?;
    docket_migrations::sqlite().run_direct(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
