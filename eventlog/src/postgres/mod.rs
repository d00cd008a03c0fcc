//! The log in a Postgres database: any number of processes, each with one connection that writes, one that listens, and a pool
//! that reads.

mod batch;
mod blockers;
mod dictionary;
mod event_row;
mod foreseen;
mod known;
mod listener;
mod reader;
mod restore;
mod segments;
mod writer;

pub(crate) use listener::Listener;
pub(crate) use reader::Reader;
pub(crate) use restore::Restoring;
pub(crate) use segments::Segments;
pub(crate) use writer::Writer;

use crate::{
    error::OpenError,
    options::{Durability, Options},
};
use dictionary::Dictionary;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::time::Duration;
use uuid::Uuid;

/// The newest position.
const HEAD: &str = "SELECT coalesce(max(position), 0) FROM log_events";
const READERS: u32 = 8;
/// How long it may take to connect, or to wait for a free connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) listener: Listener,
    pub(crate) segments: Segments,
    /// The newest position.
    pub(crate) head: u64,
}

/// Connects and brings the tables up to date. When it returns, other processes see `worker` alive.
pub(crate) async fn open(url: &str, options: &Options, worker: Uuid) -> Result<Opened, OpenError> {
    let base: PgConnectOptions = url.parse()?;
    let mut connection = base.clone().application_name("docket migration").connect().await?;
    check(&mut connection).await?;
    docket_migrations::postgres().run_direct(&mut connection).await?;
    forget_old_batches(&mut connection).await?;
    connection.close().await?;

    let mut writer = Writer::new(base.clone().application_name("docket writer"), options.durability, worker);
    writer.connect().await?;
    let (reader, segments) = read(base.clone()).await?;
    let listener = Listener::connect(base.application_name("docket listener"), worker).await?;
    let head = reader.head().await.map_err(|error| OpenError::Unsuitable(error.to_string()))?;
    Ok(Opened { writer, reader, listener, segments, head })
}

/// The side that reads, and the tables of segments.
pub(crate) async fn read_only(url: &str) -> Result<(Reader, Segments), OpenError> {
    Ok(read(url.parse()?).await?)
}

async fn read(base: PgConnectOptions) -> Result<(Reader, Segments), sqlx::Error> {
    let dictionary = Dictionary::default();
    let readers = dictionary.forgotten_by(PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_TIMEOUT));
    // A page is read along an index and ends at its limit. Left alone, Postgres collects and sorts all the rest of the log for it,
    // as long as it has no statistics or takes a plan for any position.
    let along_indexes = [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_sort", "off"), ("jit", "off")];
    let pool = readers.connect_with(base.application_name("docket reader").options(along_indexes)).await?;
    Ok((Reader::new(pool.clone(), dictionary), Segments::new(pool)))
}

async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    let (encoding,): (String,) =
        sqlx::query_as("SELECT current_setting('server_encoding')").fetch_one(&mut *connection).await?;
    if encoding != "UTF8" {
        return Err(OpenError::Unsuitable(format!("its encoding is {encoding}, and must be UTF8")));
    }
    let (version,): (i32,) =
        sqlx::query_as("SELECT current_setting('server_version_num')::int").fetch_one(&mut *connection).await?;
    if version < 120_000 {
        return Err(OpenError::Unsuitable("it is older than Postgres 12".into()));
    }
    Ok(())
}

/// A writer's last batch is remembered only for as long as it may still be asked for: seconds.
async fn forget_old_batches(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM batches WHERE recorded_at < docket_now() - 86400000000::bigint").execute(connection).await?;
    Ok(())
}

/// What a writing connection promises.
async fn make_durable(connection: &mut PgConnection, durability: Durability) -> Result<(), sqlx::Error> {
    let (commit,): (String,) = sqlx::query_as("SHOW synchronous_commit").fetch_one(&mut *connection).await?;
    // An administrator may have asked for more than `on` (remote_apply); that stays.
    let setting = match durability {
        Durability::Sync if commit == "off" => "SET synchronous_commit = on",
        Durability::Sync => return Ok(()),
        Durability::Relaxed => "SET synchronous_commit = off",
    };
    sqlx::query(setting).execute(connection).await?;
    Ok(())
}
