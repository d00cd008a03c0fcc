//! Reading a log of which a part is sealed: rows and segments, merged by position. What comes out is what came out before.
//!
//! Rows are read first and the segments are asked for afterwards, never the other way round: a row that was gone by then lies in a
//! segment that was recorded before. A row that is still there and an event of a segment may be the same; one of them is left out.

use super::{decode::decode, entry::Segment, store::FileStore};
use crate::{
    backend::{Reader, SegmentTables},
    error::ReadError,
    filter::Filter,
    page_rows::{MAX_BYTES, PageRows},
    recorded::Recorded,
    stream_id::StreamId,
};
use lru::LruCache;
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Decoded segments that are kept, in bytes of memory, about. One that is larger is not kept.
const CACHE_BYTES: usize = 24 << 20;

/// Only these aggregates' streams are ever sealed, so that the others are read without a thought of segments.
pub(crate) const SEALED_KIND: &str = "model_call";

type Events = Arc<[Arc<Recorded>]>;

#[derive(Debug)]
pub(crate) struct Sealed {
    tables: SegmentTables,
    store: Option<FileStore>,
    /// All that is known here, by number.
    known: Mutex<BTreeMap<i64, Segment>>,
    cache: Mutex<Cache>,
    sealing: tokio::sync::Mutex<()>,
}

/// As long as this lives nobody else makes segments of this log.
pub(super) struct Turn<'a> {
    _process: tokio::sync::MutexGuard<'a, ()>,
    database: Option<PgConnection>,
}

impl Turn<'_> {
    /// Gives the right back before anybody is answered. Without this the server would do so when it notices that the connection is gone.
    pub(super) async fn end(self) {
        if let Some(connection) = self.database
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the connection that held the right to make segments did not close well");
        }
    }
}

impl Sealed {
    pub(crate) fn new(tables: SegmentTables, store: Option<FileStore>) -> Self {
        let cache = Cache { segments: LruCache::unbounded(), bytes: 0 };
        Self { tables, store, known: Mutex::default(), cache: Mutex::new(cache), sealing: tokio::sync::Mutex::default() }
    }

    pub(crate) fn tables(&self) -> &SegmentTables {
        &self.tables
    }

    pub(crate) fn store(&self) -> Option<&FileStore> {
        self.store.as_ref()
    }

    /// The events in (after, through] that the filter chooses.
    pub(crate) async fn all(
        &self,
        reader: &Reader,
        after: u64,
        through: u64,
        filter: &Filter,
        limit: usize,
    ) -> Result<PageRows, ReadError> {
        let rows = reader.all(after, through, filter, limit).await?;
        let reach = if rows.complete { through } else { rows.events.last().map_or(after, |event| event.position) };
        // Positions have no holes: if none is left out, none is sealed.
        let whole = rows.events.len() as u64 == reach - after;
        if whole || !filter.may_match_aggregate(SEALED_KIND) {
            return Ok(rows);
        }
        self.refresh().await?;
        let mut segments: Vec<_> =
            self.known().values().filter(|segment| segment.first <= reach && segment.last > after).cloned().collect();
        if let Some(stream) = filter.stream.as_ref().filter(|_| !segments.is_empty()) {
            let chosen = self.tables.of_stream(stream).await?.map(|(segment, _)| segment);
            segments.retain(|segment| Some(segment.id) == chosen);
        }
        if let Some(scopes) = filter.scopes.as_ref().filter(|_| !segments.is_empty()) {
            let chosen = self.tables.of_scopes(scopes).await?;
            segments.retain(|segment| chosen.contains(&segment.id));
        }
        segments.sort_unstable_by_key(|segment| segment.first);

        let (mut picked, mut end) = (Vec::new(), reach);
        for segment in &segments {
            if segment.first > end {
                break;
            }
            let events = self.events(segment).await?;
            let from = events.partition_point(|event| event.position <= after);
            let to = events.partition_point(|event| event.position <= end);
            picked.extend(events[from..to].iter().filter(|event| filter.matches(event)).cloned());
            if picked.len() > limit {
                picked.sort_unstable_by_key(|event| event.position);
                picked.truncate(limit);
                end = picked.last().map_or(end, |event| event.position);
            }
        }
        Ok(merged(rows, picked, limit, |event| event.position))
    }

    /// A stream's events after a sequence.
    pub(crate) async fn stream(
        &self,
        reader: &Reader,
        stream: &StreamId,
        after: u64,
        limit: usize,
    ) -> Result<PageRows, ReadError> {
        let rows = reader.stream(stream, after, limit).await?;
        // Sequences have no holes, and the last event always has a row.
        let whole = rows.events.last().is_none_or(|last| last.sequence - after == rows.events.len() as u64);
        if whole || *stream.aggregate_type != *SEALED_KIND {
            return Ok(rows);
        }
        let Some((number, _)) = self.tables.of_stream(stream).await? else { return Ok(rows) };
        self.refresh().await?;
        let segment = self.known().get(&number).cloned();
        let segment =
            segment.ok_or_else(|| ReadError::damaged(format!("there is no segment {number}, but stream {stream} is in it")))?;
        let events = self.events(&segment).await?;
        let end = if rows.complete { u64::MAX } else { rows.events.last().map_or(after, |last| last.sequence) };
        let wanted = |event: &&Arc<Recorded>| event.stream == *stream && event.sequence > after && event.sequence <= end;
        let picked = events.iter().filter(wanted).take(limit).cloned().collect();
        Ok(merged(rows, picked, limit, |event| event.sequence))
    }

    /// All segments, as of now.
    pub(crate) async fn list(&self) -> Result<Vec<Segment>, ReadError> {
        self.tables.newer(0).await
    }

    /// The events of a segment, from memory or from the store.
    pub(crate) async fn events(&self, segment: &Segment) -> Result<Events, ReadError> {
        if let Some(events) = self.cache().segments.get(&segment.id) {
            return Ok(events.clone());
        }
        let events = self.load(segment).await?;
        self.cache().keep(segment.id, events.clone());
        Ok(events)
    }

    /// The events of a segment, from the store.
    pub(super) async fn load(&self, segment: &Segment) -> Result<Events, ReadError> {
        let failed = |reason: String| ReadError::Segment { object: segment.object.clone(), reason };
        let Some(store) = &self.store else { return Err(failed("no place for segments is configured".into())) };
        let bytes = store.get(&segment.object).await.map_err(|error| failed(error.to_string()))?;
        let decoded = tokio::task::spawn_blocking(move || decode(&bytes)).await.map_err(|error| failed(error.to_string()))?;
        let (header, events) = decoded.map_err(|error| failed(error.to_string()))?;
        if header.leaf_hashes != segment.leaf_hashes || header.events != segment.events {
            return Err(failed("it is another segment than the one that was recorded".into()));
        }
        Ok(events.into())
    }

    /// The right to make segments, if nobody has it.
    pub(super) async fn turn(&self) -> Result<Option<Turn<'_>>, ReadError> {
        let Ok(process) = self.sealing.try_lock() else { return Ok(None) };
        let database = match &self.tables {
            // There is no other process.
            SegmentTables::Sqlite(_) => None,
            #[cfg(feature = "kurrentdb")]
            SegmentTables::None => None,
            SegmentTables::Postgres(tables) => match tables.turn().await? {
                None => return Ok(None),
                locked => locked,
            },
        };
        Ok(Some(Turn { _process: process, database }))
    }

    async fn refresh(&self) -> Result<(), ReadError> {
        let newest = self.known().last_key_value().map_or(0, |(id, _)| *id);
        let newer = self.tables.newer(newest).await?;
        self.known().extend(newer.into_iter().map(|segment| (segment.id, segment)));
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, Segment>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows and events of segments in their order, each once, at most `limit`.
fn merged(rows: PageRows, picked: Vec<Arc<Recorded>>, limit: usize, place: impl Fn(&Recorded) -> u64) -> PageRows {
    let PageRows { mut events, mut complete } = rows;
    if picked.is_empty() {
        return PageRows { events, complete };
    }
    events.extend(picked);
    events.sort_by_key(|event| place(event));
    events.dedup_by_key(|event| place(event));
    let (mut end, mut bytes) = (0, 0);
    while end < events.len().min(limit) && bytes < MAX_BYTES {
        bytes += events[end].weight();
        end += 1;
    }
    complete &= end == events.len() && end < limit;
    events.truncate(end);
    PageRows { events, complete }
}

#[derive(Debug)]
struct Cache {
    segments: LruCache<i64, Events>,
    bytes: usize,
}

impl Cache {
    fn keep(&mut self, id: i64, events: Events) {
        let weight = |events: &Events| events.iter().map(|event| event.weight_encoded()).sum::<usize>();
        self.bytes += weight(&events);
        if let Some(replaced) = self.segments.put(id, events) {
            self.bytes -= weight(&replaced);
        }
        while self.bytes > CACHE_BYTES {
            let Some((_, oldest)) = self.segments.pop_lru() else { break };
            self.bytes -= weight(&oldest);
        }
    }
}
