//! The tables of segments, through a connection of their own: nothing here changes what the writer remembers. A commit need not
//! wait for the disk, because the write-ahead log keeps the order: no row is gone before its segment is recorded.

use crate::{
    error::ReadError,
    segments::{Sealing, Segment},
    stream_id::StreamId,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;

const COLUMNS: &str = "id, object, first, last, events, bytes, leaf_hashes, ended, pruned";

#[derive(Clone, Debug)]
pub(crate) struct Segments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl Segments {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Inner { path, connection: Mutex::default() }))
    }

    /// The segments with a higher number.
    pub(crate) async fn newer(&self, than: i64) -> Result<Vec<Segment>, ReadError> {
        let select = format!("SELECT {COLUMNS} FROM segments WHERE id > ? ORDER BY id");
        self.call(move |connection| connection.prepare_cached(&select)?.query_map([than], segment)?.collect()).await
    }

    /// The segment with a stream's events, and the last sequence in it.
    pub(crate) async fn of_stream(&self, stream: &StreamId) -> Result<Option<(i64, u64)>, ReadError> {
        let StreamId { aggregate_type, aggregate_id } = stream.clone();
        let select = "SELECT segment, last_sequence FROM sealed_streams \
            WHERE stream = (SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?)";
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(select)?;
            let row = statement.query_row([aggregate_type, aggregate_id], |row| <(i64, i64)>::try_from(row)).optional()?;
            Ok(row.map(|(segment, sequence)| (segment, sequence.unsigned_abs())))
        })
        .await
    }

    /// The segments with events of these scopes.
    pub(crate) async fn of_scopes(&self, scopes: &[Uuid]) -> Result<HashSet<i64>, ReadError> {
        let scopes = scopes.to_vec();
        self.call(move |connection| {
            let mut statement = connection.prepare_cached("SELECT segment FROM segment_scopes WHERE scope = ?")?;
            let mut found = HashSet::new();
            for scope in &scopes {
                for segment in statement.query_map([&scope.as_bytes()[..]], |row| row.get(0))? {
                    found.insert(segment?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Records a segment that lies in the store.
    pub(crate) async fn record(&self, sealing: Arc<Sealing>) -> Result<(), ReadError> {
        self.call(move |connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let header = &sealing.header;
            transaction.execute(
                "INSERT INTO segments (object, first, last, events, bytes, leaf_hashes, ended) VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    sealing.object,
                    header.first.cast_signed(),
                    header.last.cast_signed(),
                    header.events.cast_signed(),
                    sealing.bytes.cast_signed(),
                    header.leaf_hashes,
                    sealing.ended.cast_signed()
                ],
            )?;
            let id = transaction.last_insert_rowid();
            let mut streams = transaction.prepare(
                "INSERT INTO sealed_streams (stream, segment, last_sequence) \
                 VALUES ((SELECT id FROM streams WHERE aggregate_type = ? AND aggregate_id = ?), ?, ?)",
            )?;
            for (stream, last_sequence) in &sealing.streams {
                streams.execute(params![stream.aggregate_type, stream.aggregate_id, id, last_sequence.cast_signed()])?;
            }
            let mut scopes = transaction.prepare("INSERT INTO segment_scopes (scope, segment) VALUES (?, ?)")?;
            for scope in &sealing.scopes {
                scopes.execute(params![&scope.as_bytes()[..], id])?;
            }
            drop((streams, scopes));
            transaction.commit()
        })
        .await
    }

    /// Deletes rows of events that are in a recorded segment, a piece of it that follows the one before; and the runs that are empty
    /// then. The database itself refuses any other.
    pub(crate) async fn prune(&self, positions: &[u64]) -> Result<(), ReadError> {
        let positions = serde_json::json!(positions).to_string();
        self.call(move |connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            prune(&transaction, &positions)?;
            transaction.commit()
        })
        .await
    }

    /// Says that the last of a segment's rows is gone.
    pub(crate) async fn pruned(&self, segment: i64) -> Result<(), ReadError> {
        self.call(move |connection| connection.execute("UPDATE segments SET pruned = 1 WHERE id = ?", [segment]).map(|_| ()))
            .await
    }

    /// Writes the file anew, without the free pages.
    pub(crate) async fn vacuum(&self) -> Result<(), ReadError> {
        self.call(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")).await
    }

    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, ReadError> {
        let inner = self.0.clone();
        let called = move || {
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let open = match connection.take() {
                Some(open) => connection.insert(open),
                None => connection.insert(connect(&inner.path)?),
            };
            call(open)
        };
        let done = tokio::task::spawn_blocking(called).await.map_err(|error| ReadError::damaged(error.to_string()))?;
        done.map_err(|error| ReadError::damaged(error.to_string()))
    }
}

fn connect(path: &std::path::Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // The writer does that.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

fn segment(row: &Row<'_>) -> Result<Segment, rusqlite::Error> {
    let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(Segment {
        id: row.get(0)?,
        object: row.get(1)?,
        first: number(2)?,
        last: number(3)?,
        events: number(4)?,
        bytes: number(5)?,
        leaf_hashes: row.get(6)?,
        ended: number(7)?,
        pruned: row.get(8)?,
    })
}

/// `positions` is a JSON array.
fn prune(connection: &Connection, positions: &str) -> Result<(), rusqlite::Error> {
    let mut streams: BTreeMap<i64, i64> = BTreeMap::new();
    let mut scopes: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut delete = connection.prepare_cached(
        "DELETE FROM events WHERE position IN (SELECT value FROM json_each(?)) RETURNING stream, sequence, scope, position",
    )?;
    let mut deleted = delete.query([positions])?;
    while let Some(row) = deleted.next()? {
        let (stream, sequence, scope, position): (i64, i64, Option<i64>, i64) = row.try_into()?;
        let newest = streams.entry(stream).or_insert(sequence);
        *newest = sequence.max(*newest);
        if let Some(scope) = scope {
            let (first, last) = scopes.entry(scope).or_insert((position, position));
            (*first, *last) = (position.min(*first), position.max(*last));
        }
    }
    // What comes before in the stream is gone already.
    let mut delete = connection
        .prepare_cached("DELETE FROM stream_runs WHERE stream = ?1 AND sequence <= ?2 AND sequence + events - 1 <= ?2")?;
    for (stream, sequence) in streams {
        delete.execute([stream, sequence])?;
    }
    // Other streams of the scope may have events in a run. One that begins before these positions may end here.
    let mut delete = connection.prepare_cached(
        "DELETE FROM scope_runs AS r WHERE r.scope = ?1 AND r.position <= ?3 AND r.position + r.events - 1 <= ?3 \
           AND r.position >= coalesce((SELECT position FROM scope_runs WHERE scope = ?1 AND position <= ?2 \
                                       ORDER BY position DESC LIMIT 1), ?2) \
           AND NOT EXISTS (SELECT 1 FROM events e WHERE e.position BETWEEN r.position AND r.position + r.events - 1)",
    )?;
    for (scope, (first, last)) in scopes {
        delete.execute([scope, first, last])?;
    }
    Ok(())
}
