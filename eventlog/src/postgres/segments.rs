//! The tables of segments.

use crate::{
    error::ReadError,
    segments::{Sealing, Segment},
    stream_id::StreamId,
};
use sqlx::{PgConnection, PgPool, Row, postgres::PgRow};
use std::{collections::HashSet, sync::Arc};
use uuid::Uuid;

/// The advisory lock of whoever makes segments: `docketsg` in ASCII.
const TURN: i64 = 0x646f_636b_6574_7367;

#[derive(Debug)]
pub(crate) struct Segments {
    pool: PgPool,
}

impl Segments {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The right of one process to make segments, as long as the connection lives. None where another has it.
    pub(crate) async fn turn(&self) -> Result<Option<PgConnection>, ReadError> {
        let mut connection = self.pool.acquire().await?.detach();
        let (locked,): (bool,) =
            sqlx::query_as("SELECT pg_try_advisory_lock($1)").bind(TURN).fetch_one(&mut connection).await?;
        Ok(locked.then_some(connection))
    }

    /// The segments with a higher number.
    pub(crate) async fn newer(&self, than: i64) -> Result<Vec<Segment>, ReadError> {
        let select = "SELECT id, object, first, last, events, bytes, leaf_hashes, ended, pruned FROM segments \
            WHERE id > $1 ORDER BY id";
        let rows = sqlx::query(select).bind(than).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(segment).collect::<Result<_, _>>()?)
    }

    /// The segment with a stream's events, and the last sequence in it.
    pub(crate) async fn of_stream(&self, stream: &StreamId) -> Result<Option<(i64, u64)>, ReadError> {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT segment, last_sequence::bigint FROM sealed_streams \
             WHERE stream = (SELECT id FROM streams WHERE aggregate_type = $1 AND aggregate_id = $2)",
        )
        .bind(&*stream.aggregate_type)
        .bind(&*stream.aggregate_id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(segment, sequence)| (segment, sequence.unsigned_abs())))
    }

    /// The segments with events of these scopes.
    pub(crate) async fn of_scopes(&self, scopes: &[Uuid]) -> Result<HashSet<i64>, ReadError> {
        let rows: Vec<(i64,)> = sqlx::query_as("SELECT segment FROM segment_scopes WHERE scope = ANY($1)")
            .bind(scopes)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(segment,)| segment).collect())
    }

    /// Records a segment that lies in the store.
    pub(crate) async fn record(&self, sealing: &Sealing) -> Result<(), ReadError> {
        let mut transaction = self.pool.begin().await?;
        // Readers are not kept out by it.
        sqlx::query("LOCK TABLE segments IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
        let header = &sealing.header;
        let (id,): (i64,) = sqlx::query_as(
            "INSERT INTO segments (id, object, first, last, events, bytes, leaf_hashes, ended) \
             SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM segments RETURNING id",
        )
        .bind(&*sealing.object)
        .bind(header.first.cast_signed())
        .bind(header.last.cast_signed())
        .bind(header.events.cast_signed())
        .bind(sealing.bytes.cast_signed())
        .bind(&header.leaf_hashes[..])
        .bind(sealing.ended.cast_signed())
        .fetch_one(&mut *transaction)
        .await?;
        let column =
            |of: fn(&StreamId) -> &Arc<str>| -> Vec<&str> { sealing.streams.iter().map(|(stream, _)| &**of(stream)).collect() };
        let sequences: Vec<i32> = sealing.streams.iter().map(|(_, sequence)| *sequence as i32).collect();
        sqlx::query(
            "INSERT INTO sealed_streams (stream, segment, last_sequence) \
             SELECT (SELECT s.id FROM streams s WHERE s.aggregate_type = n.type AND s.aggregate_id = n.id), $1, n.sequence \
             FROM unnest($2::text[], $3::text[], $4::int[]) AS n (type, id, sequence)",
        )
        .bind(id)
        .bind(column(|stream| &stream.aggregate_type))
        .bind(column(|stream| &stream.aggregate_id))
        .bind(sequences)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO segment_scopes (scope, segment) SELECT unnest($1::uuid[]), $2")
            .bind(&sealing.scopes)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Deletes rows of events that are in a recorded segment. The database itself refuses any other.
    pub(crate) async fn prune(&self, positions: &[u64]) -> Result<(), ReadError> {
        let positions: Vec<i64> = positions.iter().map(|position| position.cast_signed()).collect();
        sqlx::query("DELETE FROM log_events WHERE position = ANY($1)").bind(positions).execute(&self.pool).await?;
        Ok(())
    }

    /// Says that the last of a segment's rows is gone.
    pub(crate) async fn pruned(&self, segment: i64) -> Result<(), ReadError> {
        sqlx::query("UPDATE segments SET pruned = true WHERE id = $1").bind(segment).execute(&self.pool).await?;
        Ok(())
    }

    /// Has the space of deleted rows used again, as autovacuum does.
    pub(crate) async fn vacuum(&self) -> Result<(), ReadError> {
        sqlx::query("VACUUM log_events").execute(&self.pool).await?;
        Ok(())
    }
}

fn segment(row: &PgRow) -> Result<Segment, sqlx::Error> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    Ok(Segment {
        id: row.try_get(0)?,
        object: row.try_get::<&str, _>(1)?.into(),
        first: number(2)?,
        last: number(3)?,
        events: number(4)?,
        bytes: number(5)?,
        leaf_hashes: row.try_get::<&[u8], _>(6)?.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        ended: number(7)?,
        pruned: row.try_get(8)?,
    })
}
