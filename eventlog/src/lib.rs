//! The log: append, read, subscribe. On SQLite for one process, on Postgres or KurrentDB for any number.
//!
//! [`Log`] is the handle. One task of a process writes ([`Log::append`]): it takes whatever waits, judges each append against
//! what its stream holds, and commits all of it as one transaction (on KurrentDB each as one of its own). Readers
//! ([`Log::read_stream`], [`Log::read_all`], [`Log::subscribe`], [`Log::follow`]) get what was just committed from memory and
//! everything else from rows. A notification from another process only says how far the log has come; one task fetches what it
//! wrote, for all readers. [`Aggregates`] executes
//! commands on top of it, and is an event store for cqrs-es.
//!
//! *Invariant:* nothing is visible before it is durable (fsync, unless an administrator relaxed it).
//!
//! *Invariant:* positions rise, and none becomes visible after a higher one. On SQLite and Postgres they start at 1 and have no
//! holes: they are given out under a lock that is held until the commit. `recorded_at` never decreases along them; on KurrentDB,
//! as far as the cluster's clocks do not. (A foreign writer on Postgres that swallows its own failed INSERT with `ON CONFLICT DO
//! NOTHING` would leave a hole; stock `postgres-es` rolls back and does not.)
//!
//! *Invariant:* the same command id on the same stream is applied once, however often it is sent and whatever broke in between.
//!
//! *Invariant:* each append of a batch is judged alone; a conflict, or content that the database refuses, fails nobody else.
//!
//! *Invariant:* a row's leaf hash is a function of the row ([`leaf_hash`]), the same whoever wrote it.
//!
//! *Invariant:* a snapshot of an aggregate is never the truth. It is written after the events it holds, apart from every command;
//! one that is missing, damaged or of another state's version costs a longer load and nothing else.
//!
//! *Invariant:* a slow reader costs no memory and loses nothing: it pulls, and what is not in the bounded memory any more it
//! reads from rows.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod aggregates;
mod append;
mod backend;
mod backup;
mod blob;
mod bookmark;
mod clock;
mod database_url;
mod encoded;
mod error;
mod fault;
mod filter;
mod follower;
mod interest;
#[cfg(feature = "kurrentdb")]
mod kurrent;
mod leaf;
mod live;
mod log;
mod metadata;
mod options;
mod pace;
mod page;
mod page_rows;
mod postgres;
mod read_only;
mod recorded;
mod request;
mod ring;
mod segments;
mod snapshot;
mod snapshots;
mod sqlite;
mod stats;
mod stream_id;
mod subscription;
mod writer;
mod written;

pub use aggregates::{Aggregates, ExecuteError, Executed, Loaded};
pub use append::{Append, Appended, Expected, NewEvent};
pub use backup::{BackupError, BackupReport, restore, verify_backup};
pub use blob::Blob;
pub use bookmark::Bookmark;
pub use database_url::{DatabaseUrl, UnsupportedUrl};
pub use encoded::Encoded;
pub use error::{AppendError, OpenError, ReadError};
pub use filter::Filter;
pub use leaf::{Sha256Digest, leaf_hash, name_digest};
pub use log::Log;
pub use metadata::to_map as metadata_map;
pub use options::{Durability, Options};
pub use page::{Batch, Page};
pub use read_only::ReadOnly;
pub use recorded::Recorded;
pub use request::{MAX_APPEND, MAX_EVENTS, MAX_PAYLOAD};
pub use segments::{FileStore, SealError, SealLimits, SealReport, Segment, SegmentError, StoreError, VerifyReport};
pub use stats::Stats;
pub use stream_id::StreamId;
pub use subscription::Subscription;
