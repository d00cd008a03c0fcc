//! Making a log of a backup: in one transaction, so that there is the whole of it or nothing.

use super::{
    BackupReport, blobs,
    error::BackupError,
    manifest::{Manifest, read_file},
    rows::Numbers,
    verify::events,
};
use crate::{backend::Restoring, database_url::DatabaseUrl, log::Log, options::Options, segments::FileStore};

/// Restores a backup into an empty database, which is made if need be: the same positions, sequences, times and leaf hashes, each
/// checked before it is written, and commands that are known as repeats. What was sealed becomes rows, and can be sealed again.
/// `progress` hears how many events of how many are done.
///
/// # Errors
/// [`BackupError::NotEmpty`] when the database has events; [`BackupError::Damaged`] names the file that is not as it should be.
/// The database is then as it was.
pub async fn restore(
    store: &FileStore,
    url: &DatabaseUrl,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<BackupReport, BackupError> {
    let manifest = Manifest::read(store).await?;
    // It brings the tables up to date, and on SQLite keeps others away.
    let log = Log::open(url, Options::default()).await?;
    let restored = restore_into(&manifest, store, url, progress).await;
    log.close().await;
    restored
}

async fn restore_into(
    manifest: &Manifest,
    store: &FileStore,
    url: &DatabaseUrl,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<BackupReport, BackupError> {
    let (mut restoring, there) = Restoring::begin(url).await?;
    if there > 0 {
        return Err(BackupError::NotEmpty(there));
    }
    let mut report = BackupReport { head: manifest.head, ..BackupReport::default() };
    for file in &manifest.blobs {
        let content = read_file(store, &file.file, file.bytes, &file.sha256).await?;
        let blobs = blobs::decode(&content).map_err(|reason| BackupError::Damaged { file: file.file.clone(), reason })?;
        report.blobs += blobs.len() as u64;
        report.bytes += file.bytes;
        restoring.blobs(blobs).await?;
    }
    let mut numbers = Numbers::new();
    for file in &manifest.events {
        let rows = numbers.rows(events(store, file).await?);
        report.events += rows.events.len() as u64;
        report.bytes += file.bytes;
        restoring.events(rows).await?;
        progress(report.events, manifest.head);
    }
    restoring.commit().await?;
    Ok(report)
}
