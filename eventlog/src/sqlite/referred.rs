//! What event rows refer to by number: streams, scopes, types, metadata. It never changes once it is written, so a reader looks it
//! up once and remembers it, as far as memory goes.

use crate::{error::ReadError, stream_id::StreamId};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;
use uuid::Uuid;

/// An event's type and version.
pub(crate) type EventType = (Arc<str>, Arc<str>);

#[derive(Debug)]
pub(crate) struct Referred {
    pub(crate) streams: Remembered<StreamId>,
    pub(crate) scopes: Remembered<Uuid>,
    pub(crate) types: Remembered<EventType>,
    pub(crate) metadata: Remembered<Bytes>,
}

impl Default for Referred {
    fn default() -> Self {
        Self {
            streams: Remembered::new("SELECT aggregate_type, aggregate_id FROM streams WHERE id = ?", |row| {
                Ok(StreamId { aggregate_type: row.get(0)?, aggregate_id: row.get(1)? })
            }),
            scopes: Remembered::new("SELECT scope FROM scopes WHERE id = ?", |row| row.get(0).map(Uuid::from_bytes)),
            types: Remembered::new("SELECT name, version FROM event_types WHERE id = ?", |row| row.try_into()),
            metadata: Remembered::new("SELECT json FROM metadata WHERE id = ?", |row| row.get(0).map(String::into)),
        }
    }
}

/// Places of one table. A power of two. If four connections have metadata of 300 bytes in all of theirs, it comes to 6 MiB.
const PLACES: usize = 4096;

/// Rows of one table. Numbers are given out in order, so those in use lie together: each has its place, and gives it up to one that
/// is further away.
#[derive(Debug)]
pub(crate) struct Remembered<T> {
    places: Vec<Option<(i64, T)>>,
    select: &'static str,
    value: fn(&Row<'_>) -> Result<T, rusqlite::Error>,
}

impl<T: Clone> Remembered<T> {
    fn new(select: &'static str, value: fn(&Row<'_>) -> Result<T, rusqlite::Error>) -> Self {
        Self { places: Vec::new(), select, value }
    }

    pub(crate) fn get(&mut self, connection: &Connection, id: i64) -> Result<T, ReadError> {
        let place = id as usize % PLACES;
        if let Some(Some((known, value))) = self.places.get(place)
            && *known == id
        {
            return Ok(value.clone());
        }
        let row = connection.prepare_cached(self.select)?.query_row([id], self.value).optional()?;
        let value = row.ok_or_else(|| ReadError::damaged(format!("there is no {id} for {:?}", self.select)))?;
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some((id, value.clone()));
        Ok(value)
    }
}
