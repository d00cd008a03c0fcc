//! Whether a backup is whole.

use super::{
    BackupReport, blobs,
    error::BackupError,
    manifest::{EventsFile, Manifest, read_file},
};
use crate::{
    recorded::Recorded,
    segments::{FileStore, decode},
};
use std::sync::Arc;

/// Reads all of a backup: every file has the SHA-256 that the manifest says, every event the leaf hash that it had in the log, every
/// blob the content that it is named by. `progress` hears how many events of how many are done.
///
/// # Errors
/// [`BackupError::Damaged`] names the first file that is not as it should be.
pub async fn verify_backup(store: &FileStore, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<BackupReport, BackupError> {
    let manifest = Manifest::read(store).await?;
    let mut report = BackupReport { head: manifest.head, ..BackupReport::default() };
    for file in &manifest.events {
        report.events += events(store, file).await?.len() as u64;
        report.bytes += file.bytes;
        progress(report.events, manifest.head);
    }
    for file in &manifest.blobs {
        let content = read_file(store, &file.file, file.bytes, &file.sha256).await?;
        let blobs = blobs::decode(&content).map_err(|reason| BackupError::Damaged { file: file.file.clone(), reason })?;
        report.blobs += blobs.len() as u64;
        report.bytes += file.bytes;
    }
    Ok(report)
}

/// The events of a file, checked.
pub(super) async fn events(store: &FileStore, file: &EventsFile) -> Result<Vec<Arc<Recorded>>, BackupError> {
    let damaged = |reason: String| BackupError::Damaged { file: file.file.clone(), reason };
    let content = read_file(store, &file.file, file.bytes, &file.sha256).await?;
    let decoded = tokio::task::spawn_blocking(move || decode(&content)).await.map_err(|error| damaged(error.to_string()))?;
    let (header, events) = decoded.map_err(|error| damaged(error.to_string()))?;
    if (header.first, header.last) != (file.first, file.last) || header.events != file.last - file.first + 1 {
        return Err(damaged("it has other events than the manifest says".into()));
    }
    Ok(events)
}
