//! Making a backup: of a log that may be in use, and only of what the backup does not have yet.

use super::{
    BackupReport,
    blobs::{self, DigestedBlob},
    error::BackupError,
    manifest::{BlobsFile, EventsFile, Manifest},
};
use crate::{
    error::ReadError,
    leaf::{Sha256Digest, sha256},
    read_only::ReadOnly,
    recorded::Recorded,
    segments::{FileStore, encode},
};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc};

/// A file of events is closed when it has so many, or so many bytes of payloads.
const FILE_EVENTS: usize = 65_536;
const FILE_BYTES: usize = 32 << 20;
/// A file of blobs is closed when it has so many bytes.
const BLOBS_BYTES: usize = 16 << 20;
const PAGE: usize = 4096;

impl ReadOnly {
    /// Writes to `store` all events up to the newest as of now, and all blobs. What an earlier backup wrote there stays and is not
    /// written again. `progress` hears how many events of how many are done. It can die at any time; the earlier backup then still
    /// holds.
    ///
    /// # Errors
    /// [`BackupError::OtherLog`] when the backup there is not one of this log.
    pub async fn backup(&self, store: &FileStore, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<BackupReport, BackupError> {
        let head = self.head().await?;
        let mut manifest = Manifest::find(store).await?.unwrap_or_default();
        self.assert_same_log(&manifest, head, store).await?;
        let mut report = BackupReport { head, ..BackupReport::default() };
        let (mut after, mut events, mut bytes) = (manifest.head, Vec::new(), 0);
        while after < head {
            let page = self.read(after, head, PAGE).await?;
            if page.events.first().is_none_or(|event| event.position != after + 1) {
                return Err(ReadError::damaged(format!("the event after {after} is missing")).into());
            }
            after = page.through;
            for event in page.events {
                bytes += event.payload.len();
                events.push(event);
                if events.len() >= FILE_EVENTS || bytes >= FILE_BYTES {
                    manifest.add(store, std::mem::take(&mut events), &mut report).await?;
                    bytes = 0;
                }
            }
            progress(after, head);
        }
        if !events.is_empty() {
            manifest.add(store, events, &mut report).await?;
        }
        self.backup_blobs(store, &mut manifest, &mut report).await?;
        manifest.write(store).await?;
        Ok(report)
    }

    /// The newest event of the backup must be in the log, and the same.
    async fn assert_same_log(&self, manifest: &Manifest, head: u64, store: &FileStore) -> Result<(), BackupError> {
        if manifest.head == 0 {
            return Ok(());
        }
        let same = manifest.head <= head && {
            let page = self.read(manifest.head - 1, manifest.head, 1).await?;
            page.events.first().is_some_and(|event| hex::encode(event.leaf_hash) == manifest.head_leaf_hash)
        };
        if same { Ok(()) } else { Err(BackupError::OtherLog { place: store.to_string() }) }
    }

    /// The blobs of the events up to the backup's head were committed with them, so all of them are there by now.
    async fn backup_blobs(
        &self,
        store: &FileStore,
        manifest: &mut Manifest,
        report: &mut BackupReport,
    ) -> Result<(), BackupError> {
        let mut known: HashSet<Sha256Digest> = HashSet::new();
        for file in &manifest.blobs {
            let digests = blobs::digests(store, &file.file).await?;
            known.extend(digests.map_err(|reason| BackupError::Damaged { file: file.file.clone(), reason })?);
        }
        let (mut after, mut waiting, mut bytes) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = self.reader.blob_digests(&after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.to_vec();
            for digest in page.into_iter().filter(|digest| !known.contains(digest)) {
                let Some(blob) = self.reader.blob(&digest).await? else { continue };
                let damaged = |reason| BackupError::Blob { digest: hex::encode(digest), reason };
                blobs::check(&digest, &blob).map_err(damaged)?;
                bytes += blob.bytes.len();
                waiting.push(DigestedBlob { digest, blob });
                if bytes >= BLOBS_BYTES {
                    manifest.add_blobs(store, std::mem::take(&mut waiting), report).await?;
                    bytes = 0;
                }
            }
        }
        if waiting.is_empty() { Ok(()) } else { manifest.add_blobs(store, waiting, report).await }
    }
}

impl Manifest {
    async fn add(
        &mut self,
        store: &FileStore,
        events: Vec<Arc<Recorded>>,
        report: &mut BackupReport,
    ) -> Result<(), BackupError> {
        let position = events.first().map_or(0, |event| event.position);
        let last = events.last().map(|event| event.leaf_hash).unwrap_or_default();
        let encoded = tokio::task::spawn_blocking(move || encode(&events)).await;
        let encoded = encoded.map_err(|error| BackupError::Write(error.to_string()))?;
        let (header, content) = encoded.map_err(|error| BackupError::Event { position, error })?;
        let content = Bytes::from(content);
        let file = format!("events/{:020}-{:020}.segment", header.first, header.last);
        let entry = EventsFile {
            file,
            first: header.first,
            last: header.last,
            bytes: content.len() as u64,
            sha256: hex::encode(sha256(&content)),
        };
        store.put(&entry.file, content).await?;
        (self.head, self.head_leaf_hash) = (header.last, hex::encode(last));
        report.events += header.events;
        report.bytes += entry.bytes;
        self.events.push(entry);
        Ok(())
    }

    async fn add_blobs(
        &mut self,
        store: &FileStore,
        blobs: Vec<DigestedBlob>,
        report: &mut BackupReport,
    ) -> Result<(), BackupError> {
        let content = Bytes::from(blobs::encode(&blobs));
        let file = format!("blobs/{:08}.blobs", self.blobs.len() + 1);
        let entry =
            BlobsFile { file, blobs: blobs.len() as u64, bytes: content.len() as u64, sha256: hex::encode(sha256(&content)) };
        store.put(&entry.file, content).await?;
        report.blobs += entry.blobs;
        report.bytes += entry.bytes;
        self.blobs.push(entry);
        Ok(())
    }
}
