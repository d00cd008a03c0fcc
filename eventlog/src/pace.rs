//! When readers are woken: few at every commit, many at intervals, so that what comes in one costs each of them one write instead
//! of several.

use std::time::Duration;
use tokio::time::Instant;

/// So many readers are woken by every commit.
const FEW: usize = 64;
/// A write to a socket takes about 10 µs of a processor, so this keeps the readers of one filter under half of one.
const PAUSE_PER_READER: Duration = Duration::from_micros(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

#[derive(Debug, Default)]
pub(crate) struct Pace {
    woken: Option<Instant>,
    /// They will be woken when the pause is over.
    coming: bool,
}

/// What a commit means to readers that want something of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    At(Instant),
    /// They will be woken for an earlier one.
    Coming,
}

impl Pace {
    /// Who has been quiet does not wait.
    pub(crate) fn turn(&mut self, readers: usize, now: Instant) -> Turn {
        if self.coming {
            return Turn::Coming;
        }
        if readers > FEW {
            let pause = LONGEST_PAUSE.min(PAUSE_PER_READER * u32::try_from(readers).unwrap_or(u32::MAX));
            if let Some(due) = self.woken.map(|woken| woken + pause).filter(|due| *due > now) {
                self.coming = true;
                return Turn::At(due);
            }
        }
        self.woken = Some(now);
        Turn::Now
    }

    /// The pause is over, and they are woken.
    pub(crate) fn over(&mut self, now: Instant) {
        (self.woken, self.coming) = (Some(now), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_readers_get_what_comes_in_a_pause_together() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(pace.turn(1_000, at(0)), Turn::Now, "they have been quiet");
        assert_eq!(pace.turn(1_000, at(10)), Turn::At(at(25)));
        assert_eq!(pace.turn(1_000, at(20)), Turn::Coming);
        pace.over(at(25));
        assert_eq!(pace.turn(1_000, at(30)), Turn::At(at(50)));
        pace.over(at(50));
        assert_eq!(pace.turn(1_000, at(75)), Turn::Now);
        assert_eq!(pace.turn(100_000, at(76)), Turn::At(at(100)), "there is a longest pause");
    }

    #[test]
    fn few_readers_wait_for_nothing() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!((0..10).all(|_| pace.turn(FEW, now) == Turn::Now));
    }
}
