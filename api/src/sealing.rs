//! Sealing in the background.

use docket_eventlog::{Log, SealLimits};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for model calls that became old enough.
const EVERY: Duration = Duration::from_secs(60);
/// A segment has so many events at least. About half of what one holds; the rest waits for more.
const LEAST_EVENTS: usize = 8192;

/// Seals model calls that ended so long ago, until `ending` fires. What is interrupted by that is finished at the next start.
pub(crate) async fn run(log: Log, older_than: Duration, ending: CancellationToken) {
    let limits = SealLimits { older_than, least_events: LEAST_EVENTS };
    let work = async {
        loop {
            match log.seal(limits).await {
                Ok(report) if report.segments > 0 => tracing::info!(?report, "model calls were sealed"),
                Ok(_) => {}
                Err(docket_eventlog::SealError::Busy) => tracing::debug!("another process seals"),
                Err(error) => tracing::error!(%error, code = error.code(), "sealing failed; it is tried again"),
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = ending.cancelled() => {}
        () = work => {}
    }
}
