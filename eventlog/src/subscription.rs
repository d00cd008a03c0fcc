//! Following the log.

use crate::{error::ReadError, filter::Filter, interest::Interest, live::Live, log::Log, page::Batch};
use std::sync::Arc;
use tokio::sync::watch;

/// Events a batch holds at most, about.
const BATCH: usize = 1000;
/// The same for a reader among many.
const SMALL_BATCH: usize = 256;

/// A reader that first catches up and then follows, without a seam: both are "read what is after my position". It asks for
/// more when it is ready, so a slow one costs no memory and loses nothing.
#[derive(Debug)]
pub struct Subscription {
    log: Log,
    filter: Filter,
    position: u64,
    waiting: Waiting,
}

/// What wakes it.
#[derive(Debug)]
enum Waiting {
    /// Every commit.
    Every(watch::Receiver<u64>),
    /// Commits that hold something for it.
    Wanted(Arc<Interest>),
}

impl Subscription {
    pub(crate) fn every(log: Log, after: u64, filter: Filter) -> Self {
        let waiting = Waiting::Every(log.live().watch());
        Self { log, filter, position: after, waiting }
    }

    pub(crate) fn wanted(log: Log, after: u64, filter: Filter) -> Self {
        let waiting = Waiting::Wanted(log.live().join(&filter));
        Self { log, filter, position: after, waiting }
    }

    /// The next events, as soon as there are any. A batch may be empty when the log went on with events that are not wanted.
    ///
    /// Dropping the future loses nothing. After an error the call can be made again and goes on from the same position.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the log was closed; [`ReadError::Storage`] when rows cannot be read.
    pub async fn next(&mut self) -> Result<Batch, ReadError> {
        let Self { log, filter, position, waiting } = self;
        let live: &Live = log.live();
        loop {
            let closed = live.closed.is_cancelled();
            match waiting {
                Waiting::Every(shown) => {
                    if *shown.borrow_and_update() > *position {
                        let batch = log.read_known(*position, filter, BATCH).await?;
                        *position = batch.through;
                        return Ok(batch);
                    }
                    if closed {
                        return Err(ReadError::Closed);
                    }
                    tokio::select! {
                        // The sender lives in the log that we hold.
                        _ = shown.changed() => {}
                        () = live.closed.cancelled() => {}
                    }
                }
                Waiting::Wanted(interest) => {
                    let woken = interest.woken();
                    let Some(batch) = interest.after(*position, live.shown(), SMALL_BATCH) else {
                        // It has to catch up, and may find nothing on the way.
                        let batch = log.read_known(*position, filter, SMALL_BATCH).await?;
                        *position = batch.through;
                        return Ok(batch);
                    };
                    *position = batch.through;
                    if !batch.events.is_empty() {
                        return Ok(batch);
                    }
                    if closed {
                        return Err(ReadError::Closed);
                    }
                    tokio::select! {
                        () = woken => {}
                        () = live.closed.cancelled() => {}
                    }
                }
            }
        }
    }

    /// Everything up to here has been handed out, or was not wanted.
    #[must_use]
    pub fn position(&self) -> u64 {
        match &self.waiting {
            Waiting::Every(_) => self.position,
            Waiting::Wanted(interest) => match interest.after(self.position, self.log.live().shown(), 1) {
                Some(page) if page.events.is_empty() => page.through,
                _ => self.position,
            },
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Waiting::Wanted(interest) = &self.waiting {
            self.log.live().leave(interest);
        }
    }
}
