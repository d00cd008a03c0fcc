//! Blobs, each a stream of its own with an event for each half megabyte: the server takes no larger ones.

use super::{
    appender::{Appender, Failure},
    connection::Connection,
    envelope::INTERNAL,
    retry::Retry,
};
use crate::{
    blob::{Blob, StoredBlob},
    error::ReadError,
    leaf::{Sha256Digest, sha256},
};
use bytes::Bytes;
use eventstore::{EventData, ExpectedRevision, RecordedEvent};
use futures_util::{TryStreamExt, future::try_join_all};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use std::{
    num::NonZeroUsize,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use uuid::Uuid;

const CHUNK: usize = 512 << 10;
/// How long writing one is tried.
const PATIENCE: Duration = Duration::from_secs(15);
/// Blobs that are known to be there: the parts of a conversation are named by each of its model calls.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// What a chunk's metadata says.
#[derive(Serialize, Deserialize)]
struct Chunk {
    index: usize,
    chunks: usize,
    /// Of the content.
    size: u64,
    encoding: u8,
    /// Of the bytes as stored. Two programs may compress the same content differently; their chunks must not be mixed.
    stored: String,
}

pub(super) struct Blobs {
    pub(super) connection: Arc<Connection>,
    pub(super) appender: Appender,
    known: Mutex<LruCache<Sha256Digest, ()>>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Blobs {
    pub(super) fn new(connection: Arc<Connection>, appender: Appender) -> Self {
        Self { connection, appender, known: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// Makes sure that these are there. They are written at once; the chunks of each one after the other, so that the last of a run
    /// stands for all.
    pub(super) async fn write(&self, blobs: Vec<&Blob>) -> Result<(), String> {
        let unknown: Vec<_> = blobs.into_iter().filter(|blob| self.known().get(&blob.digest).is_none()).collect();
        try_join_all(unknown.iter().map(|blob| self.write_one(blob))).await?;
        let mut known = self.known();
        for blob in unknown {
            known.put(blob.digest, ());
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, LruCache<Sha256Digest, ()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_one(&self, blob: &Blob) -> Result<(), String> {
        let (name, retry) = (stream_name(&blob.digest), Retry::within(PATIENCE));
        loop {
            let failure = match self.attempt(&name, blob).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if !retry.again().await {
                return Err(failure.reason());
            }
        }
    }

    async fn attempt(&self, name: &str, blob: &Blob) -> Result<(), Failure> {
        let lost = |error: ReadError| Failure::Lost(error.to_string());
        let stored = hex::encode(sha256(&blob.stored));
        let chunks = blob.stored.len().div_ceil(CHUNK).max(1);
        // A small one is written without asking: the same again, the server recognises by its id.
        let last = if chunks > 1 { self.connection.last(name).await.map_err(lost)? } else { None };
        if last.as_ref().and_then(chunk).is_some_and(|last| last.index + 1 == last.chunks) {
            return Ok(());
        }
        let first = last.map_or(0, |last| last.revision + 1);
        for index in 0..chunks {
            let start = index * CHUNK;
            let bytes = blob.stored.slice(start..blob.stored.len().min(start + CHUNK));
            let revision = first + index as u64;
            let about = Chunk { index, chunks, size: blob.size as u64, encoding: blob.encoding as u8, stored: stored.clone() };
            let event = event(name, revision, bytes, &about).map_err(|error| Failure::Refused(error.to_string()))?;
            let expected = revision.checked_sub(1).map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
            match self.appender.append(name, expected, vec![event]).await {
                // Somebody was faster, perhaps with other bytes for the same content.
                Err(Failure::Refused(_)) if chunks == 1 && self.is_there(name).await? => return Ok(()),
                done => done?,
            }
        }
        Ok(())
    }

    async fn is_there(&self, name: &str) -> Result<bool, Failure> {
        let found = read_stream(&self.connection, name).await;
        found.map(|found| found.is_some()).map_err(|error| Failure::Lost(error.to_string()))
    }
}

/// The id is a function of the place and the bytes.
fn event(name: &str, revision: u64, bytes: Bytes, about: &Chunk) -> Result<EventData, serde_json::Error> {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{name} {revision} {} {}", about.index, about.stored).as_bytes());
    EventData::binary("~chunk", bytes).id(id).metadata_as_json(about)
}

fn chunk(event: &RecordedEvent) -> Option<Chunk> {
    serde_json::from_slice(&event.custom_metadata).ok()
}

fn stream_name(digest: &[u8]) -> String {
    format!("{INTERNAL}blob-{}", hex::encode(digest))
}

/// The blob with this SHA-256.
pub(super) async fn read(connection: &Connection, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
    read_stream(connection, &stream_name(digest)).await
}

/// The first run of chunks that is whole. A program that died while it wrote leaves one that is not.
async fn read_stream(connection: &Connection, name: &str) -> Result<Option<StoredBlob>, ReadError> {
    let mut events = pin!(connection.read_stream(name, 0, usize::MAX).await?);
    let (mut bytes, mut next, mut of) = (Vec::new(), 0, String::new());
    while let Some(event) = events.try_next().await? {
        let Some(chunk) = chunk(&event) else { continue };
        if chunk.index == 0 {
            (bytes, next, of) = (Vec::new(), 0, chunk.stored.clone());
        }
        if chunk.index != next || chunk.stored != of {
            continue;
        }
        next += 1;
        bytes.extend_from_slice(&event.data);
        if next == chunk.chunks {
            return Ok(Some(StoredBlob { size: chunk.size.cast_signed(), encoding: chunk.encoding.into(), bytes }));
        }
    }
    Ok(None)
}
