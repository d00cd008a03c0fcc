//! The connections that read.

use super::listener::lock_key;
use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    leaf::Sha256Digest,
    names::Names,
    page_rows::PageRows,
    recorded::Recorded,
    snapshot::{Snapshot, SnapshotRow, StoredSnapshot},
    stream_id::StreamId,
};
use sqlx::{PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use std::sync::Arc;
use uuid::Uuid;

const SELECT: &str = "SELECT e.position, e.aggregate_type, e.aggregate_id, e.scope, e.sequence, e.event_type, e.event_version, \
    e.payload::text, e.metadata::text, e.recorded_at, e.leaf_hash FROM events e WHERE ";

#[derive(Debug)]
pub(crate) struct Reader {
    pool: PgPool,
}

impl Reader {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn head(&self) -> Result<u64, ReadError> {
        let (head,): (i64,) = sqlx::query_as("SELECT position FROM log_head").fetch_one(&self.pool).await?;
        Ok(head.unsigned_abs())
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new(SELECT);
        query.push("e.aggregate_type = ").push_bind(&*stream.aggregate_type);
        query.push(" AND e.aggregate_id = ").push_bind(&*stream.aggregate_id);
        query.push(" AND e.sequence > ").push_bind(after.cast_signed()).push(" ORDER BY e.sequence LIMIT ");
        query.push_bind(limit as i64);
        PageRows::collect(query.build().fetch(&self.pool), limit, event).await
    }

    /// The events in (after, through] that the filter chooses.
    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new(SELECT);
        query.push("e.position > ").push_bind(after.cast_signed()).push(" AND e.position <= ").push_bind(through.cast_signed());
        match filter.scopes.as_deref() {
            None => {}
            // With `=` an index gives them in order.
            Some([scope]) => {
                query.push(" AND e.scope = ").push_bind(*scope);
            }
            Some(scopes) => {
                query.push(" AND e.scope = ANY(").push_bind(scopes).push(")");
            }
        }
        if let Some(types) = &filter.aggregates {
            query.push(" AND e.aggregate_type = ANY(").push_bind(strings(types)).push(")");
        }
        if let Some(types) = &filter.types {
            query.push(" AND e.event_type = ANY(").push_bind(strings(types)).push(")");
        }
        query.push(" ORDER BY e.position LIMIT ").push_bind(limit as i64);
        PageRows::collect(query.build().fetch(&self.pool), limit, event).await
    }

    pub(crate) async fn blob(&self, digest: &[u8]) -> Result<Option<StoredBlob>, ReadError> {
        let row: Option<(i64, i16, Vec<u8>)> = sqlx::query_as("SELECT size, encoding, bytes FROM blobs WHERE sha256 = $1")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(size, encoding, bytes)| StoredBlob { size, encoding: encoding.into(), bytes }))
    }

    /// The digests of blobs after one, in order.
    pub(crate) async fn blob_digests(&self, after: &[u8], limit: usize) -> Result<Vec<Sha256Digest>, ReadError> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT sha256 FROM blobs WHERE sha256 > $1 ORDER BY sha256 LIMIT $2")
            .bind(after)
            .bind(limit as i64)
            .fetch_all(&self.pool)
            .await?;
        let digest = |(digest,): (Vec<u8>,)| digest.try_into().map_err(|_| ReadError::damaged("a blob's digest is none"));
        rows.into_iter().map(digest).collect()
    }

    pub(crate) async fn bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        let row: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT position, state FROM bookmarks WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(position, state)| Bookmark { position: position.unsigned_abs(), state }))
    }

    /// Remembers where a reader stands. The last to say so counts.
    pub(crate) async fn save_bookmark(&self, name: &str, bookmark: &Bookmark) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO bookmarks (name, position, state) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET position = excluded.position, state = excluded.state",
        )
        .bind(name)
        .bind(bookmark.position.cast_signed())
        .bind(&bookmark.state)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        let row: Option<SnapshotRow> = sqlx::query_as(
            "SELECT s.sequence, s.leaf_hash, s.state, e.position, e.leaf_hash FROM aggregate_snapshots s \
             LEFT JOIN events e USING (aggregate_type, aggregate_id, sequence) \
             WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 AND s.state_version = $3",
        )
        .bind(&*stream.aggregate_type)
        .bind(&*stream.aggregate_id)
        .bind(i64::from(version))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(StoredSnapshot::from_row))
    }

    pub(crate) async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // Nobody is told of it, so nobody need wait for the disk. It never gets there before the events, which came first.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
        sqlx::query(
            "INSERT INTO aggregate_snapshots (aggregate_type, aggregate_id, sequence, leaf_hash, state_version, state) \
             SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.leaf_hash, $4, $5 FROM events e \
             WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence = $3 \
             ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET sequence = excluded.sequence, \
               leaf_hash = excluded.leaf_hash, state_version = excluded.state_version, state = excluded.state",
        )
        .bind(&*snapshot.stream.aggregate_type)
        .bind(&*snapshot.stream.aggregate_id)
        .bind(snapshot.sequence.cast_signed())
        .bind(i64::from(snapshot.state_version))
        .bind(&snapshot.state)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// What an earlier command did to the stream: (last position, last sequence).
    pub(crate) async fn command(&self, stream: &StreamId, command: Uuid) -> Result<Option<(u64, u64)>, ReadError> {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT last_position, last_sequence FROM commands \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND command = $3",
        )
        .bind(&*stream.aggregate_type)
        .bind(&*stream.aggregate_id)
        .bind(command)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(position, sequence)| (position.unsigned_abs(), sequence.unsigned_abs())))
    }

    /// Whether a process holds the lock that only this worker takes.
    pub(crate) async fn is_alive(&self, worker: Uuid) -> Result<bool, ReadError> {
        // A bigint key is shown in two halves.
        let (alive,): (bool,) = sqlx::query_as(
            "SELECT EXISTS (SELECT 1 FROM pg_locks \
             WHERE locktype = 'advisory' AND objsubid = 1 AND granted \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND (classid::bigint << 32 | objid::bigint) = $1)",
        )
        .bind(lock_key(worker))
        .fetch_one(&self.pool)
        .await?;
        Ok(alive)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn strings(values: &[Arc<str>]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn event(row: &PgRow, names: &mut Names) -> Result<Arc<Recorded>, sqlx::Error> {
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
    }))
}
