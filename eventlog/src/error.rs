//! What can go wrong, each with a stable code for programs.

use crate::{append::Expected, stream_id::StreamId};
use std::{path::PathBuf, sync::Arc};

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process (SQLite serves one at a time; several replicas need Postgres)", path.display())]
    Locked { path: PathBuf },
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("the log's tables could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database works, but not as the log needs it.
    #[error("the database is not suitable: {0}")]
    Unsuitable(String),
    #[error("the database cannot be reached: {0}")]
    Storage(#[from] sqlx::Error),
    /// The same of KurrentDB.
    #[error("KurrentDB cannot be reached: {0}")]
    Unreachable(String),
    #[error("this build of Docket has no KurrentDB in it: build it with the feature `kurrentdb`")]
    NotBuilt,
    #[error("the database cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "log_locked",
            Self::File { .. } => "log_file",
            Self::Migrate(_) => "log_migration_failed",
            Self::Unsuitable(_) => "log_unsuitable",
            Self::Storage(_) | Self::Sqlite(_) | Self::Unreachable(_) => "log_unavailable",
            Self::NotBuilt => "log_not_built",
        }
    }
}

/// Why an append was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is not as the caller thought: an ordinary result. Read it again and decide again.
    #[error("stream {stream} was expected to have {expected}, but its last event is number {actual}")]
    Conflict { stream: StreamId, expected: Expected, actual: u64 },
    #[error("{what} of {size} is above the limit of {limit}")]
    TooLarge { what: &'static str, size: usize, limit: usize },
    /// The request can never be stored.
    #[error("the append is invalid: {reason}")]
    Invalid { reason: String },
    #[error("the log is closed")]
    Closed,
    /// Nothing was written: the database is down, full or refused it. The log recovers by itself; the append may be tried again.
    #[error("nothing was written: {reason}")]
    Storage { reason: String },
    /// The connection was lost while the append was being committed, and the database did not come back in time to ask. Repeat it
    /// under the same command id, or with an exact expectation: then nothing is done twice.
    #[error("it is not known whether the append was written: {reason}")]
    Uncertain { reason: String },
}

impl AppendError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "log_conflict",
            Self::TooLarge { .. } => "log_too_large",
            Self::Invalid { .. } => "log_invalid",
            Self::Closed => "log_closed",
            Self::Storage { .. } => "log_unavailable",
            Self::Uncertain { .. } => "log_uncertain",
        }
    }
}

/// Why something could not be read. After a `Storage` error the same call can be made again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the log is closed")]
    Closed,
    #[error("the log cannot be read: {reason}")]
    Storage { reason: String },
    /// The events lie in a segment, and the place where it lies cannot be read, or has something else. What is not sealed can be read.
    #[error("segment {object} cannot be read: {reason}")]
    Segment { object: Arc<str>, reason: String },
    #[error("event {position} ({event_type}) cannot be decoded: {reason}")]
    Decode { position: u64, event_type: Arc<str>, reason: String },
}

impl ReadError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed => "log_closed",
            Self::Storage { .. } => "log_unavailable",
            Self::Segment { .. } => "log_segment_unavailable",
            Self::Decode { .. } => "log_undecodable",
        }
    }

    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Storage { reason: reason.into() }
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            error => Self::Storage { reason: error.to_string() },
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage { reason: error.to_string() }
    }
}
