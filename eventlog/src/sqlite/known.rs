//! What the writer remembers of the file, so that an append reads next to nothing. Nobody else writes there, so it stays true; a
//! transaction that fails takes all of it along, and it is read anew.

use crate::{append::NewEvent, error::OpenError, stream_id::StreamId};
use bytes::Bytes;
use lru::LruCache;
use sqlx::{Row, SqliteConnection};
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
    pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<Self, OpenError> {
        let numbers = sqlx::query(
            "SELECT (SELECT coalesce(max(id), 0) FROM streams), (SELECT coalesce(max(id), 0) FROM scopes), \
             (SELECT coalesce(max(id), 0) FROM event_types), (SELECT coalesce(max(id), 0) FROM metadata)",
        )
        .fetch_one(&mut *connection)
        .await?;
        let newest = Newest {
            stream: numbers.try_get(0)?,
            scope: numbers.try_get(1)?,
            event_type: numbers.try_get(2)?,
            metadata: numbers.try_get(3)?,
        };
        let last: Option<(i64, i64)> =
            sqlx::query_as("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1")
                .fetch_optional(&mut *connection)
                .await?;
        let (position, recorded_at) = last.unwrap_or_default();
        let types: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT id, name, version FROM event_types").fetch_all(&mut *connection).await?;
        Ok(Self {
            position: position.unsigned_abs(),
            recorded_at,
            streams: LruCache::new(STREAMS),
            scopes: LruCache::new(STREAMS),
            types: types.into_iter().map(|(id, name, version)| ((name.into(), version.into()), id)).collect(),
            metadata: LruCache::new(METADATA),
            newest,
        })
    }

    /// Makes sure that these streams are remembered, those that exist.
    pub(crate) async fn look_up_streams(
        &mut self,
        connection: &mut SqliteConnection,
        streams: impl Iterator<Item = &StreamId>,
    ) -> Result<(), sqlx::Error> {
        let unknown: Vec<[&str; 2]> = streams
            // `get`, so that it counts as used and is not the next to go.
            .filter(|stream| self.streams.get(*stream).is_none())
            .map(|stream| [&*stream.aggregate_type, &*stream.aggregate_id])
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "SELECT s.id, s.aggregate_type, s.aggregate_id, \
                    coalesce((SELECT max(e.sequence) FROM events e WHERE e.stream = s.id), 0) \
             FROM json_each(?1) j CROSS JOIN streams s \
               ON s.aggregate_type = j.value ->> 0 AND s.aggregate_id = j.value ->> 1",
        )
        .bind(serde_json::json!(unknown).to_string())
        .fetch_all(connection)
        .await?;
        for (id, aggregate_type, aggregate_id, sequence) in rows {
            self.streams.put(StreamId::new(aggregate_type, aggregate_id), Head { id, sequence: sequence.unsigned_abs() });
        }
        Ok(())
    }

    /// Makes sure that these scopes are remembered, those that exist.
    pub(crate) async fn look_up_scopes(
        &mut self,
        connection: &mut SqliteConnection,
        scopes: impl Iterator<Item = Uuid>,
    ) -> Result<(), sqlx::Error> {
        let unknown: Vec<String> =
            scopes.filter(|scope| self.scopes.get(scope).is_none()).map(|scope| scope.simple().to_string()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let rows: Vec<(i64, Uuid)> =
            sqlx::query_as("SELECT s.id, s.scope FROM json_each(?1) j CROSS JOIN scopes s ON s.scope = unhex(j.value)")
                .bind(serde_json::json!(unknown).to_string())
                .fetch_all(connection)
                .await?;
        for (id, scope) in rows {
            self.scopes.put(scope, id);
        }
        Ok(())
    }

    /// The number of an event's type, and whether it is new.
    pub(crate) fn event_type(&mut self, event: &NewEvent) -> (i64, bool) {
        let key = (event.event_type.clone(), event.event_version.clone());
        if let Some(id) = self.types.get(&key) {
            return (*id, false);
        }
        self.newest.event_type += 1;
        self.types.insert(key, self.newest.event_type);
        (self.newest.event_type, true)
    }
}
