//! A row of the log as it comes from the server, with numbers in place of names.

use super::dictionary::{Names, Numbers};
use crate::{encoded::Encoded, leaf::Sha256Digest, recorded::Recorded};
use bytes::Bytes;
use sqlx::{Row, postgres::PgRow};

pub(super) struct EventRow {
    position: u64,
    recorded_at: i64,
    stream: i32,
    sequence: u64,
    metadata: i32,
    scope: Option<i32>,
    event_type: i32,
    payload: Bytes,
    leaf_hash: Sha256Digest,
}

impl EventRow {
    pub(super) const SELECT: &str = "SELECT e.position, e.recorded_at, e.stream, e.sequence, e.metadata, e.scope, e.event_type, \
        e.payload, e.leaf_hash FROM log_events e WHERE ";

    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get::<i64, _>(0)?.unsigned_abs(),
            recorded_at: row.try_get(1)?,
            stream: row.try_get(2)?,
            sequence: row.try_get::<i32, _>(3)?.unsigned_abs().into(),
            metadata: row.try_get(4)?,
            scope: row.try_get(5)?,
            event_type: row.try_get(6)?,
            payload: Bytes::copy_from_slice(row.try_get::<&str, _>(7)?.as_bytes()),
            leaf_hash: row.try_get::<&[u8], _>(8)?.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        })
    }

    /// What it takes of memory, about, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.payload.len() + 300
    }

    pub(super) fn mention(&self, numbers: &mut Numbers) {
        numbers.streams.push(self.stream);
        numbers.scopes.extend(self.scope);
        numbers.types.push(self.event_type);
        numbers.metadata.push(self.metadata);
    }

    /// None when a number stands for nothing.
    pub(super) fn named(self, names: &Names) -> Option<Recorded> {
        let (event_type, event_version) = names.types.get(&self.event_type)?.clone();
        Some(Recorded {
            position: self.position,
            stream: names.streams.get(&self.stream)?.clone(),
            scope: match self.scope {
                Some(scope) => Some(*names.scopes.get(&scope)?),
                None => None,
            },
            sequence: self.sequence,
            event_type,
            event_version,
            payload: self.payload,
            metadata: names.metadata.get(&self.metadata)?.clone(),
            recorded_at: self.recorded_at,
            leaf_hash: self.leaf_hash,
            encoded: Encoded::default(),
        })
    }
}
