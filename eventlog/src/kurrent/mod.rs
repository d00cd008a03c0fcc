//! The log in KurrentDB (EventStoreDB): any number of processes, for those whom one Postgres no longer serves.
//!
//! A stream of ours is KurrentDB's stream `{aggregate type}-{aggregate id}`; its event number n is revision n - 1. What is not an
//! event (blobs, bookmarks, snapshots, signs of life) lies in streams whose names begin with `~`, which no reader of the log sees.
//!
//! What is different from the other databases:
//!
//! - *Positions* are the server's commit positions: strictly increasing, and not dense.
//! - *Time* is the server's clock; after a change of leader it may be a little before that of an earlier event.
//! - *Appends* of a batch are one by one each atomic, not together. All go out on one stream of requests before the first answer.
//! - *Blobs* are written before the event that names them, so a crash in between leaves one that nothing names.
//! - *A command* is recognised by reading its whole stream once in this process's life, and following it from then on. So the
//!   promise holds without a bound; the price is the first append to a long stream.
//! - *Filters* are applied here, to pages that the server delivers without its own events and without what begins with `~`.
//! - *An append* has at most about a megabyte, the server's default limit. One with more has its payloads put into a blob; one with
//!   some thousand events or more is refused.

mod appender;
mod blobs;
mod cell;
mod connection;
mod decoder;
mod envelope;
mod follower;
mod heartbeat;
mod known;
mod names;
mod reader;
mod retry;
mod seen;
mod sending;
mod writer;

pub(crate) use connection::claim_cryptography;
pub(crate) use follower::Follower;
pub(crate) use heartbeat::Heartbeat;
pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

use crate::error::OpenError;
use appender::Appender;
use blobs::Blobs;
use connection::Connection;
use known::Known;
use seen::Seen;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How long the server may take for an answer, or for the next event of a page.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one append, as the server counts them. Its limit is a megabyte unless it was set higher.
const MAX_BYTES: usize = 1_000_000;

pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) follower: Follower,
    pub(crate) heartbeat: Heartbeat,
    /// The newest position.
    pub(crate) head: u64,
}

/// Connects. When it returns, other processes see `worker` alive.
pub(crate) async fn open(url: &str, worker: Uuid) -> Result<Opened, OpenError> {
    let connection = Arc::new(Connection::new(url).await?);
    let blobs = Arc::new(Blobs::new(connection.clone(), Appender::new(connection.clone())));
    let (known, seen) = (Arc::new(Mutex::new(Known::default())), Arc::new(Seen::default()));
    let reader = Reader::new(blobs.clone(), known.clone(), worker);
    let head = reader.head().await.map_err(|error| OpenError::Unreachable(error.to_string()))?;
    let heartbeat = Heartbeat::new(blobs.clone(), worker);
    // Another user than one of the administrators may not say how many signs of life are kept.
    heartbeat.beat().await.map_err(|reason| OpenError::Unsuitable(format!("KurrentDB takes no event: {reason}")))?;
    let writer = Writer::new(blobs, known, seen.clone());
    Ok(Opened { writer, reader, follower: Follower::new(connection, seen, head), heartbeat, head })
}
