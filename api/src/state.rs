//! What routes work with.

use docket_commands::Control;
use docket_projections::Projections;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long a read waits for the views to reach what the caller has just written.
pub const FRESHNESS: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct AppState {
    pub control: Control,
    pub projections: Arc<Projections>,
    /// Fires when open streams are to end.
    pub ending: CancellationToken,
    /// A view that is further behind than so many positions is not ready.
    pub max_lag: u64,
}

impl AppState {
    /// Waits until the views have everything that was in the log when this was called, for a bounded time: what a caller wrote,
    /// the same caller reads.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn fresh(&self) -> Result<(), docket_eventlog::ReadError> {
        let head = self.control.log.head().await?;
        self.reached(head).await;
        Ok(())
    }

    /// Waits until the views have reached a position, for a bounded time.
    pub async fn reached(&self, position: u64) {
        if let Err(error) = self.projections.wait_for(position, FRESHNESS).await {
            tracing::warn!(%error, position, "the views are behind; a read may be stale");
        }
    }
}
