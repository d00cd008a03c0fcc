//! Moving the events of finished model calls out of the database.
//!
//! It can die at any line and be run again: the file is durable and was read back before the segment is recorded, the segment is
//! recorded before a row goes, and a run begins with the rows that the last one did not get to. A file that was not recorded is
//! written again under the same name, or found by [`Log::verify_segments`].

use super::{
    decode::decode,
    encode::encode,
    entry::Segment,
    error::{SealError, SegmentError},
    header::Header,
    sealed::SEALED_KIND,
    store::FileStore,
};
use crate::{backend::Reader, clock, error::ReadError, filter::Filter, log::Log, recorded::Recorded, stream_id::StreamId};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// With one of these a stream has ended.
const ENDS: [&str; 3] = ["model_call.finished", "model_call.failed", "model_call.interrupted"];
/// A segment is closed when it has so many events or so many bytes of payloads. More would hardly make it smaller, and a reader of one
/// stream decodes all of it.
const SEGMENT_EVENTS: usize = 16_384;
const SEGMENT_BYTES: usize = 8 << 20;
/// A stream with more stays in rows.
const STREAM_EVENTS: u64 = 1 << 18;
const STREAM_BYTES: usize = 64 << 20;
/// Rows that are deleted in one transaction, so that appends between them do not wait long.
const PRUNE: usize = 512;
const PAGE: usize = 1000;

/// What is to be sealed.
#[derive(Clone, Copy, Debug)]
pub struct SealLimits {
    /// Only model calls that ended so long ago.
    pub older_than: Duration,
    /// Nothing until so many events are there for a segment: small ones are no gain.
    pub least_events: usize,
}

/// What was sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SealReport {
    pub segments: u64,
    pub streams: u64,
    pub events: u64,
    /// The segments' files together.
    pub bytes: u64,
    /// Streams that stay in rows, because they are too large or a row of theirs was changed.
    pub left: u64,
}

/// A segment that is about to be recorded.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) object: Arc<str>,
    pub(crate) header: Header,
    pub(crate) bytes: u64,
    pub(crate) ended: u64,
    /// With the last sequence of each in the segment.
    pub(crate) streams: Vec<(StreamId, u64)>,
    pub(crate) scopes: Vec<Uuid>,
}

/// Events that will be a segment.
#[derive(Default)]
struct Gathered {
    events: Vec<Arc<Recorded>>,
    bytes: usize,
    /// With the last sequence that is here.
    streams: HashMap<StreamId, u64>,
    ended: u64,
}

impl Log {
    /// Moves the events of model calls that have ended into segments, all but the last event of each. Readers see no difference.
    ///
    /// # Errors
    /// [`SealError`]; whatever was not sealed is as it was, and the next call goes on.
    pub async fn seal(&self, limits: SealLimits) -> Result<SealReport, SealError> {
        let store = self.sealed().store().ok_or(SealError::NoStore)?;
        let turn = self.sealed().turn().await?.ok_or(SealError::Busy)?;
        let report = self.seal_to(store, limits).await;
        turn.end().await;
        report
    }

    async fn seal_to(&self, store: &FileStore, limits: SealLimits) -> Result<SealReport, SealError> {
        let (sealed, reader) = (self.sealed(), self.reader());
        let mut cursor = 0;
        for segment in sealed.list().await? {
            if !segment.pruned {
                self.prune(&segment).await?;
            }
            cursor = cursor.max(segment.ended);
        }
        let before = clock::now().saturating_sub(i64::try_from(limits.older_than.as_micros()).unwrap_or(i64::MAX));
        let (head, ends) = (self.head().await?, Filter::all().types(ENDS));
        let (mut report, mut gathered) = (SealReport::default(), Gathered::default());
        'log: while cursor < head {
            // Ends are rows, always.
            let through = ends.horizon(cursor, head);
            let page = reader.all(cursor, through, &ends, PAGE).await?;
            for end in &page.events {
                if end.recorded_at > before {
                    break 'log;
                }
                if !self.gather(reader, end, &mut gathered).await? {
                    report.left += 1;
                }
                gathered.ended = end.position;
                if gathered.events.len() >= SEGMENT_EVENTS || gathered.bytes >= SEGMENT_BYTES {
                    self.close_segment(store, std::mem::take(&mut gathered), &mut report).await?;
                }
            }
            cursor = if page.complete { through } else { page.events.last().map_or(through, |end| end.position) };
        }
        if gathered.events.len() >= limits.least_events.max(1) {
            self.close_segment(store, gathered, &mut report).await?;
        }
        Ok(report)
    }

    /// Takes in the events of a stream before its end. False when they have to stay where they are.
    async fn gather(&self, reader: &Reader, end: &Recorded, gathered: &mut Gathered) -> Result<bool, SealError> {
        if *end.stream.aggregate_type != *SEALED_KIND || end.sequence < 2 {
            return Ok(true);
        }
        // It may end twice, and is sealed up to the first time.
        if gathered.streams.contains_key(&end.stream) || self.sealed().tables().of_stream(&end.stream).await?.is_some() {
            return Ok(true);
        }
        if end.sequence > STREAM_EVENTS {
            return Ok(false);
        }
        let (mut events, mut bytes, mut after) = (Vec::new(), 0, 0);
        while after + 1 < end.sequence {
            let page = reader.stream(&end.stream, after, PAGE).await?;
            let before = after;
            for event in page.events.into_iter().filter(|event| event.sequence < end.sequence) {
                after = event.sequence;
                bytes += event.payload.len();
                events.push(event);
            }
            if after == before {
                return Err(ReadError::damaged(format!("stream {} ends before {}", end.stream, end.sequence)).into());
            }
            if bytes > STREAM_BYTES {
                return Ok(false);
            }
        }
        if let Some(changed) = events.iter().find(|event: &&Arc<Recorded>| event.computed_leaf_hash() != event.leaf_hash) {
            tracing::error!(stream = %end.stream, position = changed.position, "a row was changed; its stream is not sealed");
            return Ok(false);
        }
        gathered.events.append(&mut events);
        gathered.bytes += bytes;
        gathered.streams.insert(end.stream.clone(), after);
        Ok(true)
    }

    /// Makes a segment of what was gathered: written, read back, recorded, and then the rows go.
    async fn close_segment(&self, store: &FileStore, gathered: Gathered, report: &mut SealReport) -> Result<(), SealError> {
        let Gathered { mut events, streams, ended, .. } = gathered;
        events.sort_unstable_by_key(|event| event.position);
        let scopes: BTreeSet<Uuid> = events.iter().filter_map(|event| event.scope).collect();
        let encoded = tokio::task::spawn_blocking(move || encode(&events)).await;
        let (header, file) = encoded.map_err(|error| ReadError::damaged(error.to_string()))??;
        let file = Bytes::from(file);
        let digest = hex::encode(&header.leaf_hashes[..8]);
        let object: Arc<str> = format!("{:020}-{:020}-{digest}.segment", header.first, header.last).into();
        store.put(&object, file.clone()).await?;
        let back = store.get(&object).await?;
        let read = tokio::task::spawn_blocking(move || decode(&back)).await;
        let (read, _) = read.map_err(|error| ReadError::damaged(error.to_string()))??;
        if read != header {
            return Err(SegmentError::LeafHashes.into());
        }
        let sealing = Sealing {
            object,
            header,
            bytes: file.len() as u64,
            ended,
            streams: streams.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
        };
        let sealing = Arc::new(sealing);
        self.sealed().tables().record(sealing.clone()).await?;
        report.segments += 1;
        report.streams += sealing.streams.len() as u64;
        report.events += header.events;
        report.bytes += sealing.bytes;
        for segment in self.sealed().list().await?.iter().filter(|segment| segment.object == sealing.object) {
            self.prune(segment).await?;
        }
        Ok(())
    }

    /// Deletes the rows of a segment's events. What the segment has is read from it first, so no row goes whose event cannot be read.
    async fn prune(&self, segment: &Segment) -> Result<(), SealError> {
        let events = self.sealed().events(segment).await?;
        let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
        for positions in positions.chunks(PRUNE) {
            self.sealed().tables().prune(positions).await?;
        }
        Ok(self.sealed().tables().pruned(segment.id).await?)
    }

    /// The recorded segments, in the order in which they were made.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn segments(&self) -> Result<Vec<Segment>, ReadError> {
        self.sealed().list().await
    }

    /// Gives the space of deleted rows back to the file system. On SQLite it writes the file anew, and appends wait meanwhile; on
    /// Postgres it does what autovacuum does.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer, or the disk has no room.
    pub async fn vacuum(&self) -> Result<(), ReadError> {
        self.sealed().tables().vacuum().await
    }

    /// Removes the files in the place of segments that are not recorded: what a run that died has left behind. Gives their names. Not
    /// while another process seals, and not where another log has its segments.
    ///
    /// # Errors
    /// [`SealError`]; some may have been removed.
    pub async fn remove_orphans(&self) -> Result<Vec<String>, SealError> {
        let store = self.sealed().store().ok_or(SealError::NoStore)?;
        let turn = self.sealed().turn().await?.ok_or(SealError::Busy)?;
        let removed = self.remove_orphans_from(store).await;
        turn.end().await;
        removed
    }

    async fn remove_orphans_from(&self, store: &FileStore) -> Result<Vec<String>, SealError> {
        let recorded: HashSet<Arc<str>> = self.segments().await?.into_iter().map(|segment| segment.object).collect();
        let names = self.sealed().orphans(&recorded).await?;
        for name in &names {
            store.remove(name).await?;
        }
        Ok(names)
    }
}
