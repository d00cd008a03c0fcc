//! The connections that read.

use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    names::Names,
    page_rows::PageRows,
    recorded::Recorded,
    snapshot::{SnapshotRow, StoredSnapshot},
    stream_id::StreamId,
};
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool, sqlite::SqliteRow};
use std::sync::Arc;
use uuid::Uuid;

// CROSS JOIN keeps SQLite from starting at another table: the events come first, in the order of an index.
const SELECT: &str = "SELECT e.position, s.aggregate_type, s.aggregate_id, x.scope, e.sequence, t.name, t.version, e.payload, \
    m.json, e.recorded_at, e.leaf_hash FROM events e CROSS JOIN streams s ON s.id = e.stream \
    CROSS JOIN event_types t ON t.id = e.event_type CROSS JOIN metadata m ON m.id = e.metadata \
    LEFT JOIN scopes x ON x.id = e.scope WHERE ";

#[derive(Debug)]
pub(crate) struct Reader {
    pool: SqlitePool,
}

impl Reader {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push("e.stream = (SELECT id FROM streams WHERE aggregate_type = ").push_bind(stream.aggregate_type.to_string());
        query.push(" AND aggregate_id = ").push_bind(stream.aggregate_id.to_string());
        query.push(") AND e.sequence > ").push_bind(after.cast_signed()).push(" ORDER BY e.sequence LIMIT ");
        query.push_bind(limit as i64);
        PageRows::collect(query.build().fetch(&self.pool), limit, event).await
    }

    /// The events in (after, through] that the filter chooses.
    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new(SELECT);
        query.push("e.position > ").push_bind(after.cast_signed()).push(" AND e.position <= ").push_bind(through.cast_signed());
        if let Some(stream) = &filter.stream {
            query
                .push(" AND e.stream = (SELECT id FROM streams WHERE aggregate_type = ")
                .push_bind(stream.aggregate_type.to_string());
            query.push(" AND aggregate_id = ").push_bind(stream.aggregate_id.to_string()).push(")");
        }
        match filter.scopes.as_deref() {
            None => {}
            // With `=` an index gives them in order.
            Some([scope]) => {
                query.push(" AND e.scope = (SELECT id FROM scopes WHERE scope = ").push_bind(*scope).push(")");
            }
            Some(scopes) => {
                let scopes: Vec<_> = scopes.iter().map(|scope| scope.simple().to_string()).collect();
                query.push(" AND x.scope IN (SELECT unhex(value) FROM json_each(").push_bind(array(&scopes)).push("))");
            }
        }
        if let Some(types) = &filter.aggregates {
            query.push(" AND s.aggregate_type IN (SELECT value FROM json_each(").push_bind(array(types)).push("))");
        }
        if let Some(types) = &filter.types {
            query.push(" AND t.name IN (SELECT value FROM json_each(").push_bind(array(types)).push("))");
        }
        query.push(" ORDER BY e.position LIMIT ").push_bind(limit as i64);
        PageRows::collect(query.build().fetch(&self.pool), limit, event).await
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        let row: Option<(i64, i64, Vec<u8>)> = sqlx::query_as("SELECT size, encoding, bytes FROM blobs WHERE sha256 = ?")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(size, encoding, bytes)| StoredBlob { size, encoding, bytes }))
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        let row: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT position, state FROM bookmarks WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(position, state)| Bookmark { position: position.unsigned_abs(), state }))
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        let row: Option<SnapshotRow> = sqlx::query_as(
            "SELECT s.sequence, s.leaf_hash, s.state, e.position, e.leaf_hash FROM aggregate_snapshots s \
             LEFT JOIN events e ON e.stream = s.stream AND e.sequence = s.sequence \
             WHERE s.stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?) AND s.state_version = ?",
        )
        .bind(&*stream.aggregate_type)
        .bind(&*stream.aggregate_id)
        .bind(version)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(StoredSnapshot::from_row))
    }

    /// What an earlier command did to the stream: (last position, last sequence).
    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT last_position, last_sequence FROM commands \
             WHERE stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?) AND command = ?",
        )
        .bind(&*stream.aggregate_type)
        .bind(&*stream.aggregate_id)
        .bind(command)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(position, sequence)| (position.unsigned_abs(), sequence.unsigned_abs())))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn array<T: AsRef<str>>(values: &[T]) -> String {
    serde_json::Value::from_iter(values.iter().map(AsRef::as_ref)).to_string()
}

fn event(row: &SqliteRow, names: &mut Names) -> Result<Arc<Recorded>, sqlx::Error> {
    Ok(Arc::new(Recorded {
        position: row.try_get::<i64, _>(0)?.unsigned_abs(),
        stream: StreamId { aggregate_type: names.get(row.try_get(1)?), aggregate_id: names.get(row.try_get(2)?) },
        scope: row.try_get(3)?,
        sequence: row.try_get::<i64, _>(4)?.unsigned_abs(),
        event_type: names.get(row.try_get(5)?),
        event_version: names.get(row.try_get(6)?),
        payload: bytes::Bytes::copy_from_slice(row.try_get::<&str, _>(7)?.as_bytes()),
        metadata: names.metadata(row.try_get(8)?),
        recorded_at: row.try_get(9)?,
        leaf_hash: row.try_get::<&[u8], _>(10)?.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        encoded: Default::default(),
    }))
}
