//! The connections that read.

use super::{
    HEAD,
    dictionary::{Dictionary, Numbers},
    event_row::EventRow,
    listener::lock_key,
};
use crate::{
    blob::StoredBlob,
    bookmark::Bookmark,
    error::ReadError,
    filter::Filter,
    leaf::Sha256Digest,
    page_rows::{MAX_BYTES, PageRows},
    snapshot::{Snapshot, SnapshotRow, StoredSnapshot},
    stream_id::StreamId,
};
use futures_util::TryStreamExt;
use sqlx::{PgPool, Postgres, QueryBuilder};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Reader {
    pool: PgPool,
    dictionary: Dictionary,
}

impl Reader {
    pub(super) fn new(pool: PgPool, dictionary: Dictionary) -> Self {
        Self { pool, dictionary }
    }

    pub(crate) async fn head(&self) -> Result<u64, ReadError> {
        let (head,): (i64,) = sqlx::query_as(HEAD).fetch_one(&self.pool).await?;
        Ok(head.unsigned_abs())
    }

    pub(crate) async fn stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new(EventRow::SELECT);
        query.push("e.stream = (SELECT id FROM streams WHERE aggregate_type = ").push_bind(&*stream.aggregate_type);
        query.push(" AND aggregate_id = ").push_bind(&*stream.aggregate_id);
        query.push(") AND e.sequence > ").push_bind(after.cast_signed()).push(" ORDER BY e.sequence LIMIT ");
        query.push_bind(limit as i64);
        self.page(query, limit).await
    }

    /// The events in (after, through] that the filter chooses.
    pub(crate) async fn all(&self, after: u64, through: u64, filter: &Filter, limit: usize) -> Result<PageRows, ReadError> {
        let mut query = QueryBuilder::<Postgres>::new(EventRow::SELECT);
        query.push("e.position > ").push_bind(after.cast_signed()).push(" AND e.position <= ").push_bind(through.cast_signed());
        if let Some(stream) = &filter.stream {
            query.push(" AND e.stream = (SELECT id FROM streams WHERE aggregate_type = ");
            query.push_bind(stream.aggregate_type.to_string()).push(" AND aggregate_id = ");
            query.push_bind(stream.aggregate_id.to_string()).push(")");
        }
        match filter.scopes.as_deref() {
            None => {}
            // With `=` an index gives them in order.
            Some([scope]) => {
                query.push(" AND e.scope = (SELECT id FROM scopes WHERE scope = ").push_bind(*scope).push(")");
            }
            Some(scopes) => {
                query.push(" AND e.scope = ANY(ARRAY(SELECT id FROM scopes WHERE scope = ANY(").push_bind(scopes).push(")))");
            }
        }
        if let Some(types) = &filter.aggregates {
            query.push(" AND EXISTS (SELECT FROM streams s WHERE s.id = e.stream AND s.aggregate_type = ANY(");
            query.push_bind(strings(types)).push("))");
        }
        if let Some(types) = &filter.types {
            query.push(" AND e.event_type = ANY(ARRAY(SELECT id FROM event_types WHERE name = ANY(");
            query.push_bind(strings(types)).push(")))");
        }
        query.push(" ORDER BY e.position LIMIT ").push_bind(limit as i64);
        self.page(query, limit).await
    }

    /// The rows first, then whatever names in them are not known yet.
    async fn page(&self, mut query: QueryBuilder<'_, Postgres>, limit: usize) -> Result<PageRows, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let entries = self.dictionary.entries();
        let (mut rows, mut numbers, mut size) = (Vec::new(), Numbers::default(), 0);
        let mut found = query.build().fetch(&mut *connection);
        while size < MAX_BYTES
            && let Some(row) = found.try_next().await?
        {
            let row = EventRow::read(&row)?;
            size += row.weight();
            row.mention(&mut numbers);
            rows.push(row);
        }
        drop(found);
        let complete = size < MAX_BYTES && rows.len() < limit;
        let names = entries.names(numbers, &mut connection).await?;
        let events: Option<_> = rows.into_iter().map(|row| row.named(&names).map(Arc::new)).collect();
        Ok(PageRows { events: events.ok_or_else(|| ReadError::damaged("a row's name is not there"))?, complete })
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
             LEFT JOIN log_events e ON e.sequence = s.sequence \
               AND e.stream = (SELECT id FROM streams WHERE aggregate_type = $1 AND aggregate_id = $2) \
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
             SELECT s.aggregate_type, s.aggregate_id, e.sequence, e.leaf_hash, $4, $5 \
             FROM streams s JOIN log_events e ON e.stream = s.id AND e.sequence = $3 \
             WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 \
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
            "SELECT last_position, last_sequence::bigint FROM commands \
             WHERE stream = (SELECT id FROM streams WHERE aggregate_type = $1 AND aggregate_id = $2) AND command = $3",
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
