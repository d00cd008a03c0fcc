//! Backups of a log: its events in the format of segments, its blobs, and a manifest. They do not depend on the database, so a log can
//! be moved from one to another with them.
//!
//! What a backup does not have follows from the rest (commands, snapshots, views), or is no part of the log (the owner's token, keys).

mod blobs;
mod error;
mod manifest;
mod restore;
mod rows;
mod verify;
mod write;

pub use error::BackupError;
pub use restore::restore;
pub use verify::verify_backup;

pub(crate) use blobs::DigestedBlob;
pub(crate) use rows::Rows;

/// What was written, read or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BackupReport {
    /// The backup reaches to this position.
    pub head: u64,
    pub events: u64,
    pub blobs: u64,
    /// Files together.
    pub bytes: u64,
}
