//! Rows of one page, no more of them than memory should hold.

use crate::{error::ReadError, names::Names, recorded::Recorded};
use futures_util::{Stream, StreamExt};
use std::{pin::pin, sync::Arc};

/// Payloads are up to 16 MiB each; a page ends after the event that reaches this many bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;

pub(crate) struct PageRows {
    pub(crate) events: Vec<Arc<Recorded>>,
    /// Whether there is nothing more of what was asked for.
    pub(crate) complete: bool,
}

impl PageRows {
    pub(crate) async fn collect<R>(
        rows: impl Stream<Item = Result<R, sqlx::Error>>,
        limit: usize,
        event: impl Fn(&R, &mut Names) -> Result<Arc<Recorded>, sqlx::Error>,
    ) -> Result<Self, ReadError> {
        let (mut events, mut bytes, mut names) = (Vec::new(), 0, Names::default());
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let event = event(&row?, &mut names)?;
            bytes += event.weight();
            events.push(event);
            if bytes >= MAX_BYTES {
                return Ok(Self { events, complete: false });
            }
        }
        let complete = events.len() < limit;
        Ok(Self { events, complete })
    }
}
