//! The one connection that writes. Its calls block; whoever makes them has a thread for it.

use super::{
    connection,
    known::Known,
    lock::Lock,
    plan::{Applied, Plan},
};
use crate::{
    bookmark::Bookmark,
    error::OpenError,
    options::Durability,
    request::Request,
    snapshot::Snapshot,
    written::{WriteError, Written},
};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    durability: Durability,
    /// None after a failure: whatever was remembered may be wrong then, and is read anew with the next connection.
    open: Option<(Connection, Known)>,
    _lock: Lock,
}

impl Writer {
    pub(crate) fn new(path: PathBuf, durability: Durability, lock: Lock) -> Self {
        Self { path, durability, open: None, _lock: lock }
    }

    /// Connects unless it is connected, and gives the newest position.
    pub(crate) fn connect(&mut self) -> Result<u64, OpenError> {
        if let Some((_, known)) = &self.open {
            return Ok(known.position);
        }
        let connection = connection::writing(&self.path, self.durability)?;
        let known = Known::read(&connection)?;
        let position = known.position;
        self.open = Some((connection, known));
        Ok(position)
    }

    /// Writes a batch as one transaction.
    pub(crate) fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        self.connect().map_err(|error| WriteError::Unavailable(error.to_string()))?;
        let Some((connection, known)) = &mut self.open else {
            return Err(WriteError::Unavailable("not connected".into()));
        };
        let plan = match prepare(connection, known, batch) {
            Ok(plan) => plan,
            Err(error) => {
                self.disconnect();
                return Err(classify(&error));
            }
        };
        let reached = known.position;
        if let Err(error) = run(connection, "COMMIT") {
            return self.resolve(reached, plan, &error);
        }
        Ok(plan.written())
    }

    /// A commit that failed may have reached the disk all the same. Nobody else writes, so the newest position tells.
    fn resolve(&mut self, reached: u64, plan: Plan<'_>, error: &rusqlite::Error) -> Result<Written, WriteError> {
        self.disconnect();
        match self.connect() {
            Ok(position) if position == reached && !plan.events.is_empty() => Ok(plan.written()),
            Ok(_) => Err(WriteError::Unavailable(error.to_string())),
            Err(lost) => Err(WriteError::Uncertain(format!("{error}; then {lost}"))),
        }
    }

    /// Remembers where a reader stands.
    pub(crate) fn save_bookmark(&mut self, name: &str, bookmark: &Bookmark) -> Result<(), String> {
        let save = |connection: &Connection| {
            let mut insert =
                connection.prepare_cached("INSERT OR REPLACE INTO bookmarks (name, position, state) VALUES (?, ?, ?)")?;
            insert.execute(params![name, bookmark.position.cast_signed(), bookmark.state])
        };
        save(self.connected()?).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Writes a snapshot in a transaction of its own, which can fail without harm to any batch and does not wait for the disk. It
    /// never gets there before the events, which came first.
    pub(crate) fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let durability = self.durability;
        let connection = self.connected()?;
        let saved =
            connection::set_synchronous(connection, Durability::Relaxed).and_then(|()| insert_snapshot(connection, snapshot));
        let restored = connection::set_synchronous(connection, durability);
        if restored.is_err() || connection::assert_durable(connection, durability).is_err() {
            // The next batch must not find a connection that promises less; a new one is asked again.
            self.disconnect();
        }
        saved.map_err(|error| error.to_string())
    }

    /// The connection, made anew after a failure.
    pub(super) fn connected(&mut self) -> Result<&Connection, String> {
        self.connect().map_err(|error| error.to_string())?;
        self.open.as_ref().map(|(connection, _)| connection).ok_or_else(|| "not connected".into())
    }

    /// Lets the file go with everything in it, so that a copy of it alone is whole.
    pub(crate) fn close(&mut self) {
        if let Some((connection, _)) = &self.open
            && let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the write-ahead log was not copied into the file; it is part of the log until it is");
        }
        self.disconnect();
    }

    fn disconnect(&mut self) {
        if let Some((connection, _)) = self.open.take()
            && let Err((_, error)) = connection.close()
        {
            tracing::warn!(%error, "the log's writing connection did not close well");
        }
    }
}

fn insert_snapshot(connection: &Connection, snapshot: &Snapshot) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO aggregate_snapshots (stream, sequence, leaf_hash, state_version, state) \
         SELECT e.stream, e.sequence, e.leaf_hash, ?1, ?2 \
         FROM (SELECT id FROM streams WHERE aggregate_type = ?3 AND aggregate_id = ?4) s CROSS JOIN events e \
         WHERE e.position = (SELECT position + ?5 - sequence FROM stream_runs WHERE stream = s.id AND sequence <= ?5 \
                             ORDER BY sequence DESC LIMIT 1) \
           AND e.stream = s.id AND e.sequence = ?5",
    )?;
    let Snapshot { stream, sequence, state_version, state } = snapshot;
    insert.execute(params![state_version, state, stream.aggregate_type, stream.aggregate_id, sequence.cast_signed()])?;
    Ok(())
}

/// Everything of a transaction but its end.
fn prepare<'a>(connection: &Connection, known: &mut Known, batch: &[&'a Request]) -> Result<Plan<'a>, rusqlite::Error> {
    run(connection, "BEGIN IMMEDIATE")?;
    for request in batch {
        known.look_up_stream(connection, &request.stream)?;
        if let Some(scope) = request.scope {
            known.look_up_scope(connection, scope)?;
        }
    }
    let applied = applied(connection, known, batch)?;
    let plan = Plan::new(known, &applied, batch);
    plan.insert(connection)?;
    Ok(plan)
}

/// What the batch's commands have done before.
fn applied(connection: &Connection, known: &Known, batch: &[&Request]) -> Result<Applied, rusqlite::Error> {
    let mut select =
        connection.prepare_cached("SELECT last_position, last_sequence FROM commands WHERE stream = ? AND command = ?")?;
    let mut applied = Applied::new();
    for request in batch {
        let (Some(head), Some(command)) = (known.streams.peek(&request.stream), request.command) else { continue };
        let row: Option<(i64, i64)> =
            select.query_row(params![head.id, command.as_bytes()], |row| row.try_into()).optional()?;
        if let Some((position, sequence)) = row {
            applied.insert((head.id, command), (position.unsigned_abs(), sequence.unsigned_abs()));
        }
    }
    Ok(applied)
}

fn run(connection: &Connection, statement: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(statement)?.execute([]).map(|_| ())
}

/// Whose fault a failed statement is: the content's (a constraint, a size) or the disk's.
fn classify(error: &rusqlite::Error) -> WriteError {
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            WriteError::Refused(error.to_string())
        }
        _ => WriteError::Unavailable(error.to_string()),
    }
}
