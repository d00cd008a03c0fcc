//! Connections to the file, as the log needs them.

use crate::{error::OpenError, options::Durability};
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, time::Duration};

/// Statements that stay prepared; more than either side has.
const STATEMENTS: usize = 32;
/// Memory for pages of the writing connection, in KiB: the ends of the indexes of all streams that are being written to.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// The one that writes. The file is there.
pub(crate) fn writing(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // What refers to a row was made from it a moment ago.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // On macOS fsync alone leaves the data in the drive's cache. Elsewhere these do nothing.
    connection.pragma_update(None, "fullfsync", durability == Durability::Sync)?;
    connection.pragma_update(None, "checkpoint_fullfsync", durability == Durability::Sync)?;
    set_synchronous(&connection, durability)?;
    assert_durable(&connection, durability)?;
    Ok(connection)
}

/// One that reads. It waits for no writer, and no writer for it.
pub(crate) fn reading(path: &Path) -> Result<Connection, rusqlite::Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, rusqlite::Error> {
    // Each connection is used by one thread at a time.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub(crate) fn set_synchronous(connection: &Connection, durability: Durability) -> Result<(), rusqlite::Error> {
    let value = match durability {
        Durability::Sync => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", value)
}

/// A pragma that is not understood is ignored by SQLite, so ask what holds.
pub(crate) fn assert_durable(connection: &Connection, durability: Durability) -> Result<(), OpenError> {
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let wanted = if durability == Durability::Sync { 2 } else { 1 };
    if synchronous != wanted || journal != "wal" {
        return Err(OpenError::Unsuitable(format!("synchronous is {synchronous}, the journal is {journal}")));
    }
    Ok(())
}
