//! How long something is tried again.

use std::time::Duration;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_millis(100);

/// Attempts until a deadline.
pub(super) struct Retry(Instant);

impl Retry {
    pub(super) fn within(patience: Duration) -> Self {
        Self(Instant::now() + patience)
    }

    /// Waits a little; `false` when it is time to give up.
    pub(super) async fn again(&self) -> bool {
        let more = Instant::now() < self.0;
        if more {
            sleep(PAUSE).await;
        }
        more
    }
}
