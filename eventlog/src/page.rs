//! A piece of the log.

use crate::recorded::Recorded;
use std::sync::Arc;

/// Payloads are up to 16 MiB each; a page from memory ends after the event that reaches this many bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Every event that the reader wants in (after, `through`], in order; there may be none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Arc<Recorded>>,
    /// Read on after this position. It is never before the position that was asked for.
    pub through: u64,
}

/// What a subscription hands out: the same.
pub type Batch = Page;
