//! What reads, from any task.

use super::{
    ANSWER_TIMEOUT,
    blobs::{self, Blobs},
    cell::Cell,
    connection::{Connection, silent},
    decoder::Decoder,
    envelope::{open, stream_name},
    follower::subscribe,
    heartbeat,
    known::Known,
};
use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    page::Page,
    page_rows::{MAX_BYTES, PageRows},
    snapshot::{Snapshot, StoredSnapshot},
    stream_id::StreamId,
};
use eventstore::{ReadAllOptions, StreamPosition};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::{pin::pin, sync::Arc};
use tokio::{sync::Mutex, time::timeout};
use uuid::Uuid;

/// Events that one page looks at when it wants only some of them.
const SCAN: usize = 4096;

#[derive(Debug)]
pub(crate) struct Reader {
    blobs: Arc<Blobs>,
    known: Arc<Mutex<Known>>,
    worker: Uuid,
}

#[derive(Serialize, Deserialize)]
struct AboutSnapshot {
    sequence: u64,
    leaf_hash: String,
    state_version: u32,
}

fn snapshot_cell(stream: &StreamId) -> Cell {
    Cell::new("snapshot", stream)
}

fn bookmark_cell(name: &str) -> Cell {
    Cell::new("bookmark", name)
}

fn unnamed(reason: String) -> ReadError {
    ReadError::Storage { reason }
}

impl Reader {
    pub(super) fn new(blobs: Arc<Blobs>, known: Arc<Mutex<Known>>, worker: Uuid) -> Self {
        Self { blobs, known, worker }
    }

    fn connection(&self) -> &Connection {
        &self.blobs.connection
    }

    /// The position of the newest event of ours. The server's own reports and blobs may lie behind it.
    pub(crate) async fn head(&self) -> Result<u64, ReadError> {
        let client = self.connection().client();
        let options = ReadAllOptions::default().backwards().position(StreamPosition::End);
        let read = async {
            let mut events = client.read_all(&options).await?;
            while let Some(event) = events.next().await? {
                if let Some(event) = event.event.filter(|event| open(event).is_some()) {
                    return Ok(event.position.commit);
                }
            }
            Ok(0)
        };
        let head = timeout(ANSWER_TIMEOUT, read).await.map_err(|_| silent())?;
        head.map_err(|error| self.connection().failed(&error))
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        let name = stream_name(stream).map_err(unnamed)?;
        let mut read = pin!(self.connection().read_stream(&name, after, limit).await?);
        let (mut events, mut bytes, mut decoder) = (Vec::new(), 0, Decoder::new(self.connection()));
        while let Some(event) = read.try_next().await? {
            let event = decoder.event(&event).await?.ok_or_else(|| {
                ReadError::damaged(format!("event {} of {stream} was written by another program", event.revision + 1))
            })?;
            bytes += event.weight();
            events.push(event);
            if bytes >= MAX_BYTES {
                return Ok(PageRows { events, complete: false });
            }
        }
        let complete = events.len() < limit;
        Ok(PageRows { events, complete })
    }

    /// The events in (after, through] that the filter chooses. `through` is the position of one of ours.
    pub(crate) async fn page(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<Page, ReadError> {
        let mut subscription = subscribe(self.connection(), after).await;
        let (mut page, mut bytes, mut decoder) =
            (Page { events: Vec::new(), through: after }, 0, Decoder::new(self.connection()));
        for _ in 0..SCAN.max(limit) {
            let next = timeout(ANSWER_TIMEOUT, subscription.next()).await.map_err(|_| silent())?;
            let Some(event) = next.map_err(|error| self.connection().failed(&error))?.event else { continue };
            page.through = event.position.commit;
            if let Some(event) = decoder.event(&event).await?.filter(|event| filter.matches(event)) {
                bytes += event.weight();
                page.events.push(event);
            }
            if page.through >= through || page.events.len() >= limit || bytes >= MAX_BYTES {
                break;
            }
        }
        Ok(page)
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        blobs::read(self.connection(), digest).await
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        let found = bookmark_cell(name).get::<u64>(self.connection()).await?;
        Ok(found.map(|(position, state, _)| Bookmark { position, state: state.into() }))
    }

    /// Remembers where a reader stands. The last to say so counts.
    pub(crate) async fn save_bookmark(&self, name: &str, bookmark: &Bookmark) -> Result<(), String> {
        bookmark_cell(name).put(&self.blobs, bookmark.position, &bookmark.state).await
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        let found = snapshot_cell(stream).get::<AboutSnapshot>(self.connection()).await?;
        let Some((about, state, _)) = found.filter(|(about, ..)| about.state_version == version) else { return Ok(None) };
        let event = self.stream(stream, about.sequence.saturating_sub(1), 1).await?.events.pop();
        Ok(Some(StoredSnapshot {
            sequence: about.sequence,
            leaf_hash: hex::decode(about.leaf_hash).unwrap_or_default(),
            state: state.into(),
            event: event.map(|event| (event.position, event.leaf_hash.to_vec())),
        }))
    }

    pub(crate) async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), String> {
        let Snapshot { stream, sequence, state_version, state } = snapshot;
        let event = self.stream(stream, sequence - 1, 1).await.map_err(|error| error.to_string())?.events.pop();
        let Some(event) = event else { return Ok(()) };
        let leaf_hash = hex::encode(event.leaf_hash);
        let about = AboutSnapshot { sequence: *sequence, leaf_hash, state_version: *state_version };
        snapshot_cell(stream).put(&self.blobs, about, state).await
    }

    /// What an earlier command did to the stream: (last position, last sequence).
    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        let name = stream_name(stream).map_err(unnamed)?;
        let mut known = self.known.lock().await;
        known.read_on(self.connection(), vec![(stream, name.clone())]).await?;
        let Some(sequence) = known.get(stream).and_then(|known| known.commands.get(&command).copied()) else { return Ok(None) };
        let event = self.connection().event(&name, sequence - 1).await?;
        Ok(event.map(|event| (event.position.commit, sequence)))
    }

    /// Whether another process with this id was heard of lately.
    pub(crate) async fn is_alive(&self, worker: Uuid) -> Result<bool, ReadError> {
        heartbeat::is_alive(self.connection(), self.worker, worker).await
    }
}
