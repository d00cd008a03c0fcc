//! The one connection of this process that writes.

use super::{
    CONNECT_TIMEOUT,
    batch::{Arguments, written},
    blockers::Blockers,
    foreseen::Foreseen,
    known::Known,
    make_durable,
};
use crate::{
    options::Durability,
    request::Request,
    written::{WriteError, Written},
};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// The server ends a batch that takes longer, so that no process holds up the others beyond it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a batch waits for the other processes' batches.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it is tried to find out what became of a batch when the connection was lost.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Writer {
    options: Arc<PgConnectOptions>,
    durability: Durability,
    worker: Uuid,
    connection: Option<Connected>,
    /// The number of the last batch. The database remembers the number and the outcome of each writer's last one, so sending a
    /// batch again under its number never writes it twice.
    batch: i64,
}

#[derive(Debug)]
struct Connected {
    connection: PgConnection,
    /// The server's process that serves it.
    process: i32,
    known: Known,
}

/// Why an attempt gave no answer.
enum Failure {
    /// Nothing was sent.
    NotConnected(String),
    /// The server said why; the transaction is rolled back.
    Definite(WriteError),
    /// The connection broke before the answer.
    Lost(String),
}

impl Writer {
    pub(crate) fn new(options: PgConnectOptions, durability: Durability, worker: Uuid) -> Self {
        let options = options.options([
            ("statement_timeout", &*STATEMENT_TIMEOUT.as_millis().to_string()),
            ("lock_timeout", &LOCK_TIMEOUT.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", &STATEMENT_TIMEOUT.as_millis().to_string()),
            // Each statement of a batch sees what was written while it waited for its turn.
            ("default_transaction_isolation", "read\\ committed"),
            // A plan is made once, perhaps when the tables were empty; along indexes it is good for ever. What Postgres does not find
            // an index for then counts as very dear, and compiling it would take 50 ms every time.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("jit", "off"),
        ]);
        Self { options: Arc::new(options), durability, worker, connection: None, batch: 0 }
    }

    pub(crate) async fn connect(&mut self) -> Result<(), sqlx::Error> {
        self.connected().await.map(|_| ())
    }

    async fn connected(&mut self) -> Result<&mut Connected, sqlx::Error> {
        let connected = match self.connection.take() {
            Some(connected) => connected,
            None => {
                let connecting = async {
                    let mut connection = self.options.connect().await?;
                    make_durable(&mut connection, self.durability).await?;
                    let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
                    Ok(Connected { connection, process, known: Known::nothing() })
                };
                timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?
            }
        };
        Ok(self.connection.insert(connected))
    }

    /// Writes a batch as one transaction, in one round trip. Where the connection is lost on the way the same batch is sent again:
    /// it is then either written, or found to have been.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        self.batch += 1;
        let deadline = Instant::now() + PATIENCE;
        let mut sent = false;
        loop {
            let reason = match self.attempt(batch).await {
                Ok(written) => return Ok(written),
                // Once a batch is on its way, a second attempt that finds the log locked may be waiting for the first.
                Err(Failure::Definite(WriteError::Unavailable(reason))) if sent => reason,
                Err(Failure::Definite(error)) => return Err(error),
                Err(Failure::NotConnected(reason)) if !sent => return Err(WriteError::Unavailable(reason)),
                Err(Failure::NotConnected(reason) | Failure::Lost(reason)) => reason,
            };
            if Instant::now() > deadline {
                return Err(WriteError::Uncertain(reason));
            }
            tracing::warn!(%reason, "the log's writing connection was lost; asking what became of the batch");
            sent = true;
            sleep(PAUSE).await;
        }
    }

    async fn attempt(&mut self, batch: &[&Request]) -> Result<Written, Failure> {
        let (worker, number) = (self.worker, self.batch);
        let mut blockers = Blockers::new(self.options.clone());
        let connected = self.connected().await.map_err(|error| Failure::NotConnected(error.to_string()))?;
        let Connected { connection, process, known } = connected;
        let foreseen = Foreseen::of(batch, known);
        let query = Arguments::new(batch, known, foreseen.as_ref()).query(known, worker, number);
        // The server's own limit comes first, unless it is the network that is gone.
        let answer = timeout(STATEMENT_TIMEOUT + CONNECT_TIMEOUT, query.fetch_one(connection));
        let answer = tokio::select! {
            answer = answer => answer,
            never = blockers.watch(*process) => match never {},
        };
        let failure = match answer {
            Ok(Ok(row)) => match written(&row, batch, known, foreseen) {
                Ok(written) => return Ok(written),
                Err(error) => Failure::Lost(error.to_string()),
            },
            Ok(Err(error)) => classify(&error, blockers.found()),
            Err(_) => Failure::Lost("no answer in time".into()),
        };
        if matches!(failure, Failure::Lost(_)) {
            self.connection = None;
        }
        Err(failure)
    }

    pub(crate) async fn disconnect(&mut self) {
        if let Some(connected) = self.connection.take()
            && let Err(error) = connected.connection.close().await
        {
            tracing::debug!(%error, "the log's writing connection did not close well");
        }
    }
}

/// Whose fault a failed statement is, by the class of its SQLSTATE.
fn classify(error: &sqlx::Error, blocker: Option<String>) -> Failure {
    let reason = blocker.map_or_else(|| error.to_string(), |blocker| format!("{error}; {blocker}"));
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        None => Failure::Lost(reason),
        // The connection or the server ended; a serialisation failure or a deadlock is worth another try, too.
        Some(code) if code.starts_with("08") || code.starts_with("57P") || code.starts_with("40") => Failure::Lost(reason),
        // The data, a constraint, a limit, or a trigger that refuses it.
        Some(code) if ["22", "23", "54", "P0"].iter().any(|class| code.starts_with(class)) => {
            Failure::Definite(WriteError::Refused(reason))
        }
        Some(_) => Failure::Definite(WriteError::Unavailable(reason)),
    }
}
