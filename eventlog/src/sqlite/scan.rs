//! From rows to events. A row costs little more than its bytes: what it refers to is remembered, and payloads share allocations.

use super::{payloads::Payloads, pool::Reading};
use crate::{
    encoded::Encoded,
    error::ReadError,
    page_rows::{MAX_BYTES, PageRows},
    recorded::Recorded,
};
use rusqlite::{Params, Row};
use std::sync::Arc;

/// The columns of an event `e`.
pub(crate) const SELECT: &str =
    "SELECT e.position, e.stream, e.sequence, e.scope, e.event_type, e.payload, e.metadata, e.recorded_at, e.leaf_hash";

impl Reading {
    /// The events that a statement selects, which has `limit` itself.
    pub(crate) fn events(&mut self, select: &str, params: impl Params, limit: usize) -> Result<PageRows, ReadError> {
        let Self { connection, referred } = self;
        let mut statement = connection.prepare_cached(select)?;
        let mut rows = statement.query(params)?;
        let (mut events, mut bytes, mut payloads) = (Vec::new(), 0, Payloads::default());
        while let Some(row) = rows.next()? {
            let (event_type, event_version) = referred.types.get(connection, row.get(4)?)?;
            let event = Recorded {
                position: unsigned(row, 0)?,
                stream: referred.streams.get(connection, row.get(1)?)?,
                sequence: unsigned(row, 2)?,
                scope: match row.get(3)? {
                    Some(scope) => Some(referred.scopes.get(connection, scope)?),
                    None => None,
                },
                event_type,
                event_version,
                payload: payloads.take(row.get_ref(5)?.as_bytes().map_err(rusqlite::Error::from)?),
                metadata: referred.metadata.get(connection, row.get(6)?)?,
                recorded_at: row.get(7)?,
                leaf_hash: row.get(8)?,
                encoded: Encoded::default(),
            };
            bytes += event.weight();
            events.push(Arc::new(event));
            if bytes >= MAX_BYTES {
                return Ok(PageRows { events, complete: false });
            }
        }
        let complete = events.len() < limit;
        Ok(PageRows { events, complete })
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}
