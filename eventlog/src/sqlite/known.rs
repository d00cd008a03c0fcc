//! What the writer remembers of the file, so that an append reads next to nothing. Nobody else writes there, so it stays true; a
//! transaction that fails takes all of it along, and it is read anew.

use crate::stream_id::StreamId;
use bytes::Bytes;
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension};
use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};
use uuid::Uuid;

/// More than one batch can name, so that what a batch has looked up is there until its end.
const STREAMS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);
const METADATA: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// A stream's row and how many events it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) sequence: u64,
}

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) position: u64,
    pub(crate) recorded_at: i64,
    pub(crate) streams: LruCache<StreamId, Head>,
    pub(crate) scopes: LruCache<Uuid, i64>,
    /// All of them; they are few.
    pub(crate) types: HashMap<(Arc<str>, Arc<str>), i64>,
    pub(crate) metadata: LruCache<Bytes, i64>,
    pub(crate) newest: Newest,
}

/// The highest number given out in each table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) stream: i64,
    pub(crate) scope: i64,
    pub(crate) event_type: i64,
    pub(crate) metadata: i64,
}

impl Known {
    pub(crate) fn read(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let newest =
            |table| connection.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |row| row.get::<_, i64>(0));
        let last: Option<(i64, i64)> = connection
            .query_row("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1", [], |row| row.try_into())
            .optional()?;
        let (position, recorded_at) = last.unwrap_or_default();
        let mut types = connection.prepare("SELECT id, name, version FROM event_types")?;
        let types = types.query_map([], |row| {
            let (id, name, version): (i64, String, String) = row.try_into()?;
            Ok(((name.into(), version.into()), id))
        })?;
        Ok(Self {
            position: position.unsigned_abs(),
            recorded_at,
            streams: LruCache::new(STREAMS),
            scopes: LruCache::new(STREAMS),
            types: types.collect::<Result<_, _>>()?,
            metadata: LruCache::new(METADATA),
            newest: Newest {
                stream: newest("streams")?,
                scope: newest("scopes")?,
                event_type: newest("event_types")?,
                metadata: newest("metadata")?,
            },
        })
    }

    /// Makes sure that this stream is remembered, if it exists.
    pub(crate) fn look_up_stream(&mut self, connection: &Connection, stream: &StreamId) -> Result<(), rusqlite::Error> {
        // `get`, so that it counts as used and is not the next to go.
        if self.streams.get(stream).is_some() {
            return Ok(());
        }
        let row: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT s.id, coalesce((SELECT sequence + events - 1 FROM stream_runs WHERE stream = s.id \
                                        ORDER BY sequence DESC LIMIT 1), 0) \
                 FROM streams s WHERE s.aggregate_type = ? AND s.aggregate_id = ?",
            )?
            .query_row([&stream.aggregate_type, &stream.aggregate_id], |row| row.try_into())
            .optional()?;
        if let Some((id, sequence)) = row {
            self.streams.put(stream.clone(), Head { id, sequence: sequence.unsigned_abs() });
        }
        Ok(())
    }

    /// Makes sure that this scope is remembered, if it exists.
    pub(crate) fn look_up_scope(&mut self, connection: &Connection, scope: Uuid) -> Result<(), rusqlite::Error> {
        if self.scopes.get(&scope).is_some() {
            return Ok(());
        }
        let id: Option<i64> = connection
            .prepare_cached("SELECT id FROM scopes WHERE scope = ?")?
            .query_row([scope.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(id) = id {
            self.scopes.put(scope, id);
        }
        Ok(())
    }
}
