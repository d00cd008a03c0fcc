//! Reading the log once for all projections, without the events that none of them wants.

use docket_eventlog::{Filter, Log, Page, ReadError, Recorded};
use futures_util::future::try_join_all;
use std::{collections::VecDeque, sync::Arc};

/// Events that one read asks for.
const PAGE: usize = 10_000;
/// Events of a batch, about: large enough that a row which many of them change is written seldom.
const BATCH: usize = 8_192;

/// The events that any of some filters chooses, in order. One filter cannot say "this or that", so each has its own read.
pub(super) struct Scan {
    log: Log,
    sides: Vec<Side>,
    /// Everything up to here was given out.
    position: u64,
}

struct Side {
    filter: Filter,
    /// What it chooses in (`Scan::position`, `through`].
    events: VecDeque<Arc<Recorded>>,
    through: u64,
}

impl Scan {
    pub(super) fn new(log: Log, filters: Vec<Filter>, after: u64) -> Self {
        let side = |filter| Side { filter, events: VecDeque::new(), through: after };
        Self { log, sides: filters.into_iter().map(side).collect(), position: after }
    }

    /// The next events, as far as `through`; none when it is there, or the log ends.
    pub(super) async fn next(&mut self, through: u64) -> Result<Option<Page>, ReadError> {
        let mut page = Page { events: Vec::new(), through: self.position };
        while page.through < through && page.events.len() < BATCH {
            try_join_all(self.sides.iter_mut().map(|side| side.read(&self.log, page.through))).await?;
            let known = self.sides.iter().map(|side| side.through).min().unwrap_or(through).min(through);
            if known == page.through {
                break;
            }
            let before = page.events.len();
            for side in &mut self.sides {
                let chosen = side.events.partition_point(|event| event.position <= known);
                page.events.extend(side.events.drain(..chosen));
            }
            page.events[before..].sort_unstable_by_key(|event| event.position);
            // What two filters choose comes once.
            page.events.dedup_by_key(|event| event.position);
            page.through = known;
        }
        let further = page.through > self.position;
        self.position = page.through;
        Ok(further.then_some(page))
    }
}

impl Side {
    /// Reads on, if nothing is left of what was read.
    async fn read(&mut self, log: &Log, position: u64) -> Result<(), ReadError> {
        if self.through == position {
            let page = log.read_all(self.through, &self.filter, PAGE).await?;
            self.events.extend(page.events);
            self.through = page.through;
        }
        Ok(())
    }
}
