//! The list of a backup's files. It is written last: what it does not name does not count.

use super::error::BackupError;
use crate::segments::{FileStore, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const FILE: &str = "manifest.json";
const FORMAT: u32 = 1;

/// What a backup holds. Positions run from 1 to `head`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    /// The version of Docket that wrote it last.
    pub docket: String,
    pub head: u64,
    /// Leaf hash of the event at `head`, in hex: by it the next backup knows its log.
    pub head_leaf_hash: String,
    /// In order of position.
    pub events: Vec<EventsFile>,
    pub blobs: Vec<BlobsFile>,
}

/// A file of consecutive events, in the format of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventsFile {
    pub file: String,
    /// Position of the first event.
    pub first: u64,
    /// Position of the last event.
    pub last: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

/// A file of blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlobsFile {
    pub file: String,
    pub blobs: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of the backup in this place, if there is one.
    pub(super) async fn find(store: &FileStore) -> Result<Option<Self>, BackupError> {
        let json = match store.get(FILE).await {
            Ok(json) => json,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |reason: String| BackupError::Damaged { file: FILE.to_owned(), reason };
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(BackupError::Format(manifest.format));
        }
        let mut next = 1;
        for file in &manifest.events {
            if file.first != next || file.last < file.first {
                return Err(damaged(format!("the events after position {} are missing", next - 1)));
            }
            next = file.last + 1;
        }
        if next != manifest.head + 1 {
            return Err(damaged(format!("the events end at position {}, not at {}", next - 1, manifest.head)));
        }
        Ok(Some(manifest))
    }

    /// The manifest of the backup that must be there.
    pub(super) async fn read(store: &FileStore) -> Result<Self, BackupError> {
        Self::find(store).await?.ok_or_else(|| BackupError::None { place: store.to_string() })
    }

    pub(super) async fn write(&mut self, store: &FileStore) -> Result<(), BackupError> {
        (self.format, self.docket) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned());
        let json = serde_json::to_vec_pretty(self).map_err(|error| BackupError::Write(error.to_string()))?;
        Ok(store.put(FILE, json).await?)
    }
}

/// A file of a backup, found to have the size and the SHA-256 that the manifest says.
pub(super) async fn read_file(store: &FileStore, file: &str, bytes: u64, sha256: &str) -> Result<Bytes, BackupError> {
    let damaged = |reason: String| BackupError::Damaged { file: file.to_owned(), reason };
    let content = store.get(file).await?;
    if content.len() as u64 != bytes {
        return Err(damaged(format!("it has {} bytes in place of {bytes}", content.len())));
    }
    if hex::encode(crate::leaf::sha256(&content)) != sha256 {
        return Err(damaged("its SHA-256 is not the one in the manifest".into()));
    }
    Ok(content)
}
