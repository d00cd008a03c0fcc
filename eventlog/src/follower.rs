//! The task that fetches what other processes wrote: once for all readers of this one, in order between our own commits.

use crate::{backend::Reader, error::ReadError, filter::Filter, live::Live, segments::Sealed};
use std::{sync::Arc, time::Duration};

/// Rows of one read.
const PAGE: usize = 2_000;
/// After a failed read.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Follower {
    pub(crate) live: Arc<Live>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) sealed: Arc<Sealed>,
}

impl Follower {
    /// Runs until the log closes. Errors never end it: it tries again.
    pub(crate) async fn run(self) {
        let closed = self.live.closed.clone();
        let follow = async {
            loop {
                if let Err(error) = self.catch_up().await {
                    tracing::warn!(%error, "what other processes wrote cannot be read");
                    tokio::time::sleep(PAUSE).await;
                } else {
                    self.live.fallen_behind().await;
                }
            }
        };
        tokio::select! {
            () = closed.cancelled() => {}
            () = follow => {}
        }
    }

    async fn catch_up(&self) -> Result<(), ReadError> {
        while let Some((after, through)) = self.live.missing() {
            if Live::is_far_behind(after, through) {
                self.live.skip(through);
                continue;
            }
            let rows = self.sealed.all(&self.reader, after, through, &Filter::all(), PAGE).await?;
            let last = rows.events.last().map_or(after, |event| event.position);
            self.live.counters.fetched.add(rows.events.len() as u64);
            self.live.fill(rows.events, if rows.complete { through } else { last });
        }
        Ok(())
    }
}
