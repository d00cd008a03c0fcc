//! What can go wrong with a backup, each with a stable code for programs.

use crate::{
    error::{OpenError, ReadError},
    segments::{SegmentError, StoreError},
};

/// Why a backup was not made, not read, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{place} has no backup")]
    None { place: String },
    #[error("the backup has format {0}, which this version does not read")]
    Format(u32),
    #[error("the backup's file {file} is damaged: {reason}")]
    Damaged { file: String, reason: String },
    /// The backup that is there has events that this log does not have.
    #[error("the backup in {place} is of another log, or of a later state of this one")]
    OtherLog { place: String },
    #[error("the database is not empty: it has {0} events. A backup is restored into an empty one")]
    NotEmpty(u64),
    #[error("event {position} cannot be kept: {error}")]
    Event { position: u64, error: SegmentError },
    #[error("blob {digest} of the log is damaged: {reason}")]
    Blob { digest: String, reason: String },
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("the database did not take the events, and is as empty as before: {0}")]
    Write(String),
}

impl BackupError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::None { .. } => "backup_missing",
            Self::Format(_) => "backup_format",
            Self::Damaged { .. } => "backup_damaged",
            Self::OtherLog { .. } => "backup_other_log",
            Self::NotEmpty(_) => "restore_not_empty",
            Self::Event { error, .. } => error.code(),
            Self::Blob { .. } => "backup_blob_damaged",
            Self::Store(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Open(error) => error.code(),
            Self::Write(_) => "restore_failed",
        }
    }
}
