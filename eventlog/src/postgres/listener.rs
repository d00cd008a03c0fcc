//! The connection that hears of other processes' appends, and shows them that this one is alive.

use super::{CONNECT_TIMEOUT, HEAD};
use crate::live::Live;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// The net under the notifications: how often the newest position is asked for when none comes.
const POLL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Listener {
    pool: PgPool,
    worker: Uuid,
    connection: Option<PgListener>,
}

impl Listener {
    pub(crate) async fn connect(options: PgConnectOptions, worker: Uuid) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options);
        let mut listener = Self { pool, worker, connection: None };
        listener.connection = Some(listener.listen().await?);
        Ok(listener)
    }

    /// Runs until the log closes. Errors never end it: it connects again.
    pub(crate) async fn run(mut self, live: Arc<Live>) {
        let closed = live.closed.clone();
        let follow = async {
            loop {
                if let Err(error) = self.follow(&live).await {
                    tracing::warn!(%error, "the log's listening connection was lost");
                    sleep(POLL).await;
                }
            }
        };
        tokio::select! {
            () = closed.cancelled() => {}
            () = follow => {}
        }
        self.connection = None;
        self.pool.close().await;
    }

    /// One connection's life. Notifications only say how far the log has come; the rows are read by whoever wants them.
    async fn follow(&mut self, live: &Live) -> Result<(), sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.listen().await?,
        };
        loop {
            let (head,): (i64,) = timeout(CONNECT_TIMEOUT, sqlx::query_as(HEAD).fetch_one(&mut connection))
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            live.advance(head.unsigned_abs());
            while let Ok(notification) = timeout(POLL, connection.try_recv()).await {
                let Some(notification) = notification? else { return Err(sqlx::Error::WorkerCrashed) };
                let (head, writer) = notification.payload().split_once(' ').unwrap_or((notification.payload(), ""));
                // Our own writer shows what it wrote by itself, from memory.
                if writer.parse() != Ok(self.worker)
                    && let Ok(head) = head.parse()
                {
                    live.advance(head);
                }
            }
        }
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let mut connection = PgListener::connect_with(&self.pool).await?;
        // A new connection needs the lock, too; so it is made here and nowhere else.
        connection.eager_reconnect(false);
        connection.listen("docket").await?;
        // Shared, so as not to wait for an earlier connection of ours that the server still believes in.
        sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(lock_key(self.worker)).execute(&mut connection).await?;
        Ok(connection)
    }
}

/// The advisory lock that a living process holds: the random half of its id.
pub(crate) fn lock_key(worker: Uuid) -> i64 {
    worker.as_u64_pair().1.cast_signed()
}
