//! Which process runs a projection.

use crate::database::Database;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::collections::BTreeSet;
use tokio::sync::Mutex;

/// The projections that this process may run, each in one version: two versions of a program can work side by side.
///
/// On Postgres each is an advisory lock of one connection, so that a process that dies gives them all up. They only keep the
/// others from working in vain: it is the checkpoint's compare-and-set that makes effects happen once. An SQLite log
/// belongs to one process anyway.
#[derive(Debug)]
pub(crate) enum Leases {
    Sole,
    Postgres { options: Box<PgConnectOptions>, schema: String, held: Mutex<Held> },
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    connection: Option<PgConnection>,
    names: BTreeSet<(String, u32)>,
}

impl Leases {
    pub(crate) fn new(database: &Database) -> Self {
        match database {
            Database::Sqlite { .. } => Self::Sole,
            Database::Postgres { options, schema, .. } => {
                Self::Postgres { options: options.clone(), schema: schema.clone(), held: Mutex::default() }
            }
        }
    }

    /// Takes the lease, or finds it taken already by us (true) or by another process (false).
    pub(crate) async fn acquire(&self, name: &str, version: u32) -> sqlx::Result<bool> {
        let Self::Postgres { options, schema, held } = self else { return Ok(true) };
        let mut held = held.lock().await;
        let mut alive = held.connection.take();
        if let Some(connection) = &mut alive
            && connection.ping().await.is_err()
        {
            alive = None;
        }
        let mut connection = match alive {
            Some(connection) => connection,
            None => {
                held.names.clear();
                PgConnection::connect_with(options).await?
            }
        };
        let lease = (name.to_owned(), version);
        if !held.names.contains(&lease) {
            let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(key(schema, name, version));
            if lock.fetch_one(&mut connection).await? {
                held.names.insert(lease.clone());
            }
        }
        held.connection = Some(connection);
        Ok(held.names.contains(&lease))
    }

    /// Whether no other process has the lease.
    pub(crate) async fn is_free(&self, name: &str, version: u32) -> sqlx::Result<bool> {
        let free = self.acquire(name, version).await?;
        if free {
            self.release(name, version).await;
        }
        Ok(free)
    }

    /// Gives the lease up.
    pub(crate) async fn release(&self, name: &str, version: u32) {
        let Self::Postgres { schema, held, .. } = self else { return };
        let mut held = held.lock().await;
        if held.names.remove(&(name.to_owned(), version))
            && let Some(connection) = &mut held.connection
        {
            let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(key(schema, name, version));
            if unlock.execute(connection).await.is_err() {
                // The server frees the locks of a connection that is gone.
                *held = Held::default();
            }
        }
    }

    pub(crate) async fn close(&self) {
        let Self::Postgres { held, .. } = self else { return };
        if let Some(connection) = std::mem::take(&mut *held.lock().await).connection {
            // It is being closed either way.
            let _ = connection.close().await;
        }
    }
}

/// FNV-1a: any function will do that gives the same number in every process and version.
fn key(schema: &str, name: &str, version: u32) -> i64 {
    let text = format!("docket.projection.{schema}.{name}.{version}");
    let hash =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    i64::from_ne_bytes(hash.to_ne_bytes())
}
