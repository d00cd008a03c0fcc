//! The one connection of this process that writes.

use super::{
    CONNECT_TIMEOUT,
    batch::{Arguments, written},
    make_durable,
};
use crate::{
    options::Durability,
    request::Request,
    written::{WriteError, Written},
};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::time::Duration;
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
    options: PgConnectOptions,
    durability: Durability,
    worker: Uuid,
    connection: Option<PgConnection>,
    /// The number of the last batch. The database remembers the number and the outcome of each writer's last one, so sending a
    /// batch again under its number never writes it twice.
    batch: i64,
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
            ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
            ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
        ]);
        Self { options, durability, worker, connection: None, batch: 0 }
    }

    pub(crate) async fn connect(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connecting = async {
                    let mut connection = self.options.connect().await?;
                    make_durable(&mut connection, self.durability).await?;
                    Ok(connection)
                };
                timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?
            }
        };
        Ok(self.connection.insert(connection))
    }

    /// Writes a batch as one transaction, in one round trip. Where the connection is lost on the way the same batch is sent again:
    /// it is then either written, or found to have been.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Result<Written, WriteError> {
        let arguments = Arguments::new(batch);
        self.batch += 1;
        let deadline = Instant::now() + PATIENCE;
        let mut sent = false;
        loop {
            let reason = match self.attempt(&arguments, batch).await {
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

    async fn attempt(&mut self, arguments: &Arguments<'_>, batch: &[&Request]) -> Result<Written, Failure> {
        let (worker, number) = (self.worker, self.batch);
        let connection = self.connect().await.map_err(|error| Failure::NotConnected(error.to_string()))?;
        // The server's own limit comes first, unless it is the network that is gone.
        let answer = timeout(STATEMENT_TIMEOUT + CONNECT_TIMEOUT, arguments.query(worker, number).fetch_one(connection)).await;
        let failure = match answer {
            Ok(Ok(row)) => match written(&row, batch) {
                Ok(written) => return Ok(written),
                Err(error) => Failure::Lost(error.to_string()),
            },
            Ok(Err(error)) => classify(&error),
            Err(_) => Failure::Lost("no answer in time".into()),
        };
        if matches!(failure, Failure::Lost(_)) {
            self.connection = None;
        }
        Err(failure)
    }

    pub(crate) async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the log's writing connection did not close well");
        }
    }
}

/// Whose fault a failed statement is, by the class of its SQLSTATE.
fn classify(error: &sqlx::Error) -> Failure {
    let reason = error.to_string();
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
