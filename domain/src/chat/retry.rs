//! When a failed model call is made again.

use super::limits::MAX_ATTEMPTS;
use crate::{aggregate::Context, failure::Failure, time::Timestamp};
use std::time::Duration;

const BASE: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(60);
/// What a provider may ask us to wait at most; more than that fails the turn.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// The instant of the next attempt after the failure of attempt number `attempt` (from 1); `None` when there is to be none.
///
/// Doubles from one second to a minute, plus up to a tenth of jitter; a longer `Retry-After` is honoured.
#[must_use]
pub fn next_attempt(failure: &Failure, attempt: u32, context: &Context) -> Option<Timestamp> {
    if !failure.class.is_retryable() || attempt >= MAX_ATTEMPTS {
        return None;
    }
    let backoff = BASE.saturating_mul(1 << (attempt.saturating_sub(1)).min(16)).min(CAP);
    let wish = failure.retry_after_ms.map_or(Duration::ZERO, Duration::from_millis);
    if wish > LONGEST_WISH {
        return None;
    }
    // A worker that was lost says nothing about the provider: its first repeat need not wait.
    if failure.class == crate::failure::FailureClass::WorkerLost {
        return Some(context.now);
    }
    let wait = backoff.max(wish);
    let jitter = wait.mul_f64(f64::from(context.id.as_bytes()[15]) / 2550.0);
    Some(context.now.plus(wait + jitter))
}
