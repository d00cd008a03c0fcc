//! Sessions that hold up a batch while they do nothing: a stock writer, or a person at a prompt, that stands still in the middle of a
//! transaction. Postgres would let everybody wait for them without end.

use super::CONNECT_TIMEOUT;
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// A batch that takes longer is looked after.
const LONG: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);
/// A session that has done nothing for longer in a transaction which holds up a batch is ended. With the pauses above it delays a
/// batch by seven seconds at most, less than the batch would wait for a lock.
const IDLE: f64 = 5.0;

/// Those that do nothing, of all that a server's process waits for, also by way of others. What a session does is shown to its own
/// role and to those who may read all statistics.
const BLOCKERS: &str = "WITH RECURSIVE blocking (pid) AS ( \
        SELECT unnest(pg_blocking_pids($1)) UNION SELECT unnest(pg_blocking_pids(b.pid)) FROM blocking b \
    ) \
    SELECT a.pid, coalesce(a.usename::text, ''), extract(epoch FROM clock_timestamp() - a.state_change)::float8 \
    FROM blocking b JOIN pg_stat_activity a ON a.pid = b.pid WHERE a.state LIKE 'idle in transaction%' OR a.state IS NULL";

#[derive(Debug)]
pub(crate) struct Blockers {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
    /// Of the last that could not be ended.
    found: Option<String>,
}

impl Blockers {
    pub(crate) fn new(options: Arc<PgConnectOptions>) -> Self {
        Self { options, connection: None, found: None }
    }

    /// Looks now and then what the server's process waits for. Never ends; nothing happens while a batch takes no longer than usual.
    pub(crate) async fn watch(&mut self, process: i32) -> Infallible {
        sleep(LONG).await;
        loop {
            if let Err(error) = timeout(CONNECT_TIMEOUT, self.look(process)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                tracing::debug!(%error, "it cannot be seen what holds up the log");
                self.connection = None;
            }
            sleep(PAUSE).await;
        }
    }

    /// Who held up the batch and could not be ended.
    pub(crate) fn found(self) -> Option<String> {
        self.found
    }

    async fn look(&mut self, process: i32) -> Result<(), sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnectOptions::clone(&self.options).application_name("docket watcher").connect().await?,
        };
        let connection = self.connection.insert(connection);
        let idle: Vec<(i32, String, Option<f64>)> = sqlx::query_as(BLOCKERS).bind(process).fetch_all(&mut *connection).await?;
        self.found = None;
        for (pid, role, seconds) in idle {
            let Some(seconds) = seconds else {
                self.found =
                    Some(format!("session {pid} of role {role:?} holds it up, and what it does may not be seen from here"));
                continue;
            };
            if seconds < IDLE {
                continue;
            }
            let ended = sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut *connection).await;
            let what = format!("session {pid} of role {role:?} holds it up, idle in a transaction for {seconds:.0} s");
            match ended {
                Ok(_) => tracing::warn!("the log waited for a session that did nothing, and ended it: {what}"),
                Err(error) => self.found = Some(format!("{what}, and cannot be ended from here: {error}")),
            }
        }
        Ok(())
    }
}
