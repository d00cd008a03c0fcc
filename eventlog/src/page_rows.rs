//! Rows of one page, no more of them than memory should hold.

use crate::recorded::Recorded;
use std::sync::Arc;

/// Payloads are up to 16 MiB each; a page ends after the event that reaches this many bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;

pub(crate) struct PageRows {
    pub(crate) events: Vec<Arc<Recorded>>,
    /// Whether there is nothing more of what was asked for.
    pub(crate) complete: bool,
}
