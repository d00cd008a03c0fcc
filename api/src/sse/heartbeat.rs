//! A comment on a stream that has been quiet, so that nobody on the way takes it for dead.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream is never quiet for longer.
const LONGEST: Duration = Duration::from_secs(15);
/// Some wait less, so that the readers of a chat that falls silent are not all written to in the same moment.
const SPREAD: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Heartbeat {
    every: Duration,
    sent: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Heartbeat {
    pub(super) fn new() -> Self {
        static STREAMS: AtomicU32 = AtomicU32::new(0);
        // Each is somewhere else between the others.
        let phase = f64::from(STREAMS.fetch_add(1, Ordering::Relaxed)) * 0.618_034;
        let (every, sent) = (LONGEST - SPREAD.mul_f64(phase.fract()), Instant::now());
        Self { every, sent, timer: Box::pin(sleep_until(sent + every)) }
    }

    /// Something was sent.
    pub(super) fn sent(&mut self) {
        self.sent = Instant::now();
    }

    /// Ends when it is time for a heartbeat.
    pub(super) async fn due(&mut self) {
        loop {
            self.timer.as_mut().await;
            // The timer is set anew only when it has run out: a busy stream does not touch it.
            let due = self.sent + self.every;
            if due <= Instant::now() {
                return;
            }
            self.timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_quiet_for_fifteen_seconds_at_most_and_not_all_end_together() {
        let mut waits: Vec<_> = (0..20).map(|_| Heartbeat::new().every).collect();
        assert!(waits.iter().all(|wait| (LONGEST - SPREAD..=LONGEST).contains(wait)), "{waits:?}");
        waits.sort();
        assert!(waits.windows(2).all(|pair| pair[1] - pair[0] > SPREAD / 100), "{waits:?}");
    }
}
