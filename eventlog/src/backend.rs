//! The databases that can hold a log, side by side.

use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    page_rows::PageRows,
    postgres,
    request::Request,
    snapshot::StoredSnapshot,
    sqlite,
    stream_id::StreamId,
    written::{WriteError, Written},
};
use uuid::Uuid;

/// The side that writes; the writer's task owns it. Calls of SQLite block; see [`crate::writer::Writer::start`].
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(Box<sqlite::Writer>),
    Postgres(Box<postgres::Writer>),
}

impl Store {
    /// Writes a batch as one transaction; each request is judged alone. No two requests of a batch have the same stream and command.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        match self {
            Self::Sqlite(store) => store.write(batch),
            Self::Postgres(store) => Box::pin(store.write(batch)).await,
        }
    }

    pub(crate) async fn close(&mut self) {
        match self {
            Self::Sqlite(store) => store.close(),
            Self::Postgres(store) => store.disconnect().await,
        }
    }
}

/// The side that reads, from any task.
#[derive(Debug)]
pub(crate) enum Reader {
    Sqlite(sqlite::Reader),
    Postgres(postgres::Reader),
}

impl Reader {
    /// The newest position as the database has it. None where this process cannot be behind.
    pub(crate) async fn head(&self) -> Result<Option<u64>, ReadError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(reader) => reader.head().await.map(Some),
        }
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.stream(stream, after, limit).await,
            Self::Postgres(reader) => reader.stream(stream, after, limit).await,
        }
    }

    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.all(after, through, filter, limit).await,
            Self::Postgres(reader) => reader.all(after, through, filter, limit).await,
        }
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.blob(digest).await,
            Self::Postgres(reader) => reader.blob(digest).await,
        }
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.bookmark(name).await,
            Self::Postgres(reader) => reader.bookmark(name).await,
        }
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.snapshot(stream, version).await,
            Self::Postgres(reader) => reader.snapshot(stream, version).await,
        }
    }

    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        match self {
            Self::Sqlite(reader) => reader.command(stream, command).await,
            Self::Postgres(reader) => reader.command(stream, command).await,
        }
    }

    /// Whether another process with this id is running.
    pub(crate) async fn is_alive(&self, worker: Uuid) -> Result<bool, ReadError> {
        match self {
            // There is no other process.
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(reader) => reader.is_alive(worker).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(reader) => reader.close().await,
            Self::Postgres(reader) => reader.close().await,
        }
    }
}
