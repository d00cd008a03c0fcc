//! How a log is opened.

use crate::segments::FileStore;

/// When an append counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// On the disk (fsync) before anyone sees it.
    #[default]
    Sync,
    /// With the operating system (SQLite) or the database server (Postgres): a crash of Docket loses nothing, a power cut the last
    /// instant. Nothing is ever corrupted.
    Relaxed,
}

/// How a log is opened; the defaults suit.
#[derive(Clone, Debug)]
pub struct Options {
    pub durability: Durability,
    /// Events that one transaction holds at most; a single larger append is still one transaction.
    pub max_batch: usize,
    /// Appends that may wait for the writer; further callers wait for their place.
    pub queue: usize,
    /// Where the log's segments lie. A log without any needs none.
    pub segments: Option<FileStore>,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::default(), max_batch: 4096, queue: 4096, segments: None }
    }
}
