//! The side that reads.

use super::{
    pool::{Pool, Reading},
    selection,
};
use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    leaf::Sha256Digest,
    page_rows::PageRows,
    snapshot::{SnapshotRow, StoredSnapshot},
    stream_id::StreamId,
};
use rusqlite::{OptionalExtension, Params, Row, params};
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Reader {
    pool: Pool,
}

impl Reader {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        let StreamId { aggregate_type, aggregate_id } = stream.clone();
        let params = (aggregate_type, aggregate_id, after.cast_signed(), limit as i64);
        self.pool.read(move |reading| reading.events(&selection::stream(), params, limit)).await
    }

    /// The events in (after, through] that the filter chooses.
    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        let (select, lists) = selection::filtered(filter);
        let [scopes, types, aggregates, stream] = lists;
        let params = (after.cast_signed(), through.cast_signed(), limit as i64, scopes, types, aggregates, stream);
        self.pool.read(move |reading| reading.events(&select, params, limit)).await
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        let row = self.row("SELECT size, encoding, bytes FROM blobs WHERE sha256 = ?", [digest.to_owned()], |row| {
            Ok(StoredBlob { size: row.get(0)?, encoding: row.get(1)?, bytes: row.get(2)? })
        });
        row.await
    }

    /// The digests of blobs after one, in order.
    pub(crate) async fn blob_digests(&self, after: &[u8], limit: usize) -> Result<Vec<Sha256Digest>, ReadError> {
        let after = after.to_owned();
        let read = move |reading: &mut Reading| {
            let select = "SELECT sha256 FROM blobs WHERE sha256 > ? ORDER BY sha256 LIMIT ?";
            let mut statement = reading.connection.prepare_cached(select)?;
            let digests = statement.query_map(params![after, limit as i64], |row| row.get(0))?;
            Ok(digests.collect::<Result<_, _>>()?)
        };
        self.pool.read(read).await
    }

    /// The newest position, where another process writes.
    pub(crate) async fn newest(&self) -> Result<u64, ReadError> {
        let newest = self.row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get::<_, i64>(0)).await?;
        Ok(newest.unwrap_or(0).unsigned_abs())
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        let row = self.row("SELECT position, state FROM bookmarks WHERE name = ?", [name.to_owned()], |row| {
            Ok(Bookmark { position: row.get::<_, i64>(0)?.unsigned_abs(), state: row.get(1)? })
        });
        row.await
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        let StreamId { aggregate_type, aggregate_id } = stream.clone();
        let select = "SELECT s.sequence, s.leaf_hash, s.state, e.position, e.leaf_hash FROM aggregate_snapshots s \
             LEFT JOIN events e ON e.stream = s.stream AND e.sequence = s.sequence AND e.position = \
               (SELECT r.position + s.sequence - r.sequence FROM stream_runs r WHERE r.stream = s.stream \
                AND r.sequence <= s.sequence ORDER BY r.sequence DESC LIMIT 1) \
             WHERE s.stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?) AND s.state_version = ?";
        let row = self.row(select, (aggregate_type, aggregate_id, version), |row| SnapshotRow::try_from(row));
        Ok(row.await?.map(StoredSnapshot::from_row))
    }

    /// What an earlier command did to the stream: (last position, last sequence).
    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        let StreamId { aggregate_type, aggregate_id } = stream.clone();
        let select = "SELECT last_position, last_sequence FROM commands \
             WHERE stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?) AND command = ?";
        let row = self.row(select, (aggregate_type, aggregate_id, command.into_bytes()), |row| <(i64, i64)>::try_from(row));
        Ok(row.await?.map(|(position, sequence)| (position.unsigned_abs(), sequence.unsigned_abs())))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// The one row that there may be.
    async fn row<T: Send + 'static>(
        &self,
        select: &'static str,
        params: impl Params + Send + 'static,
        value: fn(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Option<T>, ReadError> {
        let read = move |reading: &mut Reading| {
            let mut statement = reading.connection.prepare_cached(select)?;
            Ok(statement.query_row(params, value).optional()?)
        };
        self.pool.read(read).await
    }
}
