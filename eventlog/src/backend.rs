//! The databases that can hold a log, side by side.

#[cfg(feature = "kurrentdb")]
use crate::kurrent;
use crate::{
    backup::{DigestedBlob, Rows},
    blob::StoredBlob,
    bookmark::Bookmark,
    database_url::DatabaseUrl,
    error::ReadError,
    filter::Filter,
    leaf::Sha256Digest,
    page_rows::PageRows,
    postgres,
    request::Request,
    segments::{Sealing, Segment},
    snapshot::StoredSnapshot,
    sqlite,
    stream_id::StreamId,
    written::{WriteError, Written},
};
use std::{collections::HashSet, sync::Arc};
use uuid::Uuid;

/// The side that writes; the writer's task owns it. Calls of SQLite block; see [`crate::writer::Writer::start`].
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(Box<sqlite::Writer>),
    Postgres(Box<postgres::Writer>),
    #[cfg(feature = "kurrentdb")]
    Kurrent(kurrent::Writer),
}

impl Store {
    /// Writes a batch as one transaction; each request is judged alone. No two requests of a batch have the same stream and command.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        match self {
            Self::Sqlite(store) => store.write(batch),
            Self::Postgres(store) => Box::pin(store.write(batch)).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(_) => Err(WriteError::Unavailable("a batch is no transaction here".into())),
        }
    }

    pub(crate) async fn close(&mut self) {
        match self {
            Self::Sqlite(store) => store.close(),
            Self::Postgres(store) => store.disconnect().await,
            // The sign of life has the last word.
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(_) => {}
        }
    }
}

/// The side that reads, from any task.
#[derive(Debug)]
pub(crate) enum Reader {
    Sqlite(sqlite::Reader),
    Postgres(postgres::Reader),
    #[cfg(feature = "kurrentdb")]
    Kurrent(kurrent::Reader),
}

impl Reader {
    /// The newest position as the database has it. None where this process cannot be behind.
    pub(crate) async fn head(&self) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(reader) => reader.head().await.map(Some),
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.head().await.map(Some),
        }
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.stream(stream, after, limit).await,
            Self::Postgres(reader) => reader.stream(stream, after, limit).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.stream(stream, after, limit).await,
        }
    }

    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.all(after, through, filter, limit).await,
            Self::Postgres(reader) => reader.all(after, through, filter, limit).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => {
                let page = reader.page(after, through, filter, limit).await?;
                Ok(PageRows { complete: page.through >= through, events: page.events })
            }
        }
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.blob(digest).await,
            Self::Postgres(reader) => reader.blob(digest).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.blob(digest).await,
        }
    }

    /// The digests of blobs after one, in order, at most `limit`.
    pub(crate) async fn blob_digests(&self, after: &[u8], limit: usize) -> Result<Vec<Sha256Digest>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.blob_digests(after, limit).await,
            Self::Postgres(reader) => reader.blob_digests(after, limit).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(_) => Err(not_on_kurrentdb()),
        }
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.bookmark(name).await,
            Self::Postgres(reader) => reader.bookmark(name).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.bookmark(name).await,
        }
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.snapshot(stream, version).await,
            Self::Postgres(reader) => reader.snapshot(stream, version).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.snapshot(stream, version).await,
        }
    }

    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.command(stream, command).await,
            Self::Postgres(reader) => reader.command(stream, command).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.command(stream, command).await,
        }
    }

    /// Whether another process with this id is running.
    pub(crate) async fn is_alive(&self, worker: Uuid) -> Result<bool, ReadError> {
        match self {
            // There is no other process.
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(reader) => reader.is_alive(worker).await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(reader) => reader.is_alive(worker).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(reader) => reader.close().await,
            Self::Postgres(reader) => reader.close().await,
            #[cfg(feature = "kurrentdb")]
            Self::Kurrent(_) => {}
        }
    }
}

/// The tables of segments.
#[derive(Debug)]
pub(crate) enum SegmentTables {
    Sqlite(sqlite::Segments),
    Postgres(postgres::Segments),
    /// KurrentDB archives by itself; nothing is sealed.
    #[cfg(feature = "kurrentdb")]
    None,
}

impl SegmentTables {
    /// The segments with a higher number.
    pub(crate) async fn newer(&self, than: i64) -> Result<Vec<Segment>, ReadError> {
        match self {
            Self::Sqlite(tables) => tables.newer(than).await,
            Self::Postgres(tables) => tables.newer(than).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Ok(Vec::new()),
        }
    }

    /// The segment with a stream's events, and the last sequence in it.
    pub(crate) async fn of_stream(&self, stream: &StreamId) -> Result<Option<(i64, u64)>, ReadError> {
        match self {
            Self::Sqlite(tables) => tables.of_stream(stream).await,
            Self::Postgres(tables) => tables.of_stream(stream).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Ok(None),
        }
    }

    /// The segments with events of these scopes.
    pub(crate) async fn of_scopes(&self, scopes: &[Uuid]) -> Result<HashSet<i64>, ReadError> {
        match self {
            Self::Sqlite(tables) => tables.of_scopes(scopes).await,
            Self::Postgres(tables) => tables.of_scopes(scopes).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Ok(HashSet::new()),
        }
    }

    /// Records a segment that lies in the store.
    pub(crate) async fn record(&self, sealing: Arc<Sealing>) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(tables) => tables.record(sealing).await,
            Self::Postgres(tables) => tables.record(&sealing).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Err(not_on_kurrentdb()),
        }
    }

    /// Deletes rows of events that are in a recorded segment. The database itself refuses any other.
    pub(crate) async fn prune(&self, positions: &[u64]) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(tables) => tables.prune(positions).await,
            Self::Postgres(tables) => tables.prune(positions).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Err(not_on_kurrentdb()),
        }
    }

    /// Says that the last of a segment's rows is gone.
    pub(crate) async fn pruned(&self, segment: i64) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(tables) => tables.pruned(segment).await,
            Self::Postgres(tables) => tables.pruned(segment).await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Err(not_on_kurrentdb()),
        }
    }

    /// Gives back the space of deleted rows.
    pub(crate) async fn vacuum(&self) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(tables) => tables.vacuum().await,
            Self::Postgres(tables) => tables.vacuum().await,
            #[cfg(feature = "kurrentdb")]
            Self::None => Err(not_on_kurrentdb()),
        }
    }
}

/// A database into which a backup is written, in one transaction.
#[derive(Debug)]
pub(crate) enum Restoring {
    Sqlite(sqlite::Restoring),
    Postgres(Box<postgres::Restoring>),
}

impl Restoring {
    /// Also says how many events are there.
    pub(crate) async fn begin(url: &DatabaseUrl) -> Result<(Self, u64), ReadError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                sqlite::Restoring::begin(path).await.map(|(restoring, there)| (Self::Sqlite(restoring), there))
            }
            DatabaseUrl::Postgres(url) => {
                postgres::Restoring::begin(url).await.map(|(restoring, there)| (Self::Postgres(Box::new(restoring)), there))
            }
            DatabaseUrl::Kurrentdb(_) => Err(not_on_kurrentdb()),
        }
    }

    pub(crate) async fn blobs(&mut self, blobs: Vec<DigestedBlob>) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(restoring) => restoring.blobs(blobs).await,
            Self::Postgres(restoring) => restoring.blobs(blobs).await,
        }
    }

    pub(crate) async fn events(&mut self, rows: Rows) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(restoring) => restoring.events(rows).await,
            Self::Postgres(restoring) => restoring.events(rows).await,
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(restoring) => restoring.commit().await,
            Self::Postgres(restoring) => restoring.commit().await,
        }
    }
}

/// KurrentDB has backups and an archive of its own.
fn not_on_kurrentdb() -> ReadError {
    ReadError::damaged("segments, backups and their restoration are not there for a log in KurrentDB, which has its own")
}
