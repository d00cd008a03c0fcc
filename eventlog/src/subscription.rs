//! Following the log.

use crate::{error::ReadError, filter::Filter, log::Log, page::Batch};
use tokio::sync::watch;

/// Events a batch holds at most, about.
const BATCH: usize = 1000;

/// A reader that first catches up and then follows, without a seam: both are "read what is after my position". It asks for
/// more when it is ready, so a slow one costs no memory and loses nothing.
#[derive(Debug)]
pub struct Subscription {
    log: Log,
    filter: Filter,
    position: u64,
    head: watch::Receiver<u64>,
}

impl Subscription {
    pub(crate) fn new(log: Log, after: u64, filter: Filter) -> Self {
        let head = log.live().watch();
        Self { log, filter, position: after, head }
    }

    /// The next events, as soon as there are any. A batch may be empty when the log went on with events that are not wanted.
    ///
    /// Dropping the future loses nothing. After an error the call can be made again and goes on from the same position.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the log was closed; [`ReadError::Storage`] when rows cannot be read.
    pub async fn next(&mut self) -> Result<Batch, ReadError> {
        loop {
            let closed = self.log.live().closed.is_cancelled();
            if *self.head.borrow_and_update() > self.position {
                let batch = self.log.read_known(self.position, &self.filter, BATCH).await?;
                self.position = batch.through;
                return Ok(batch);
            }
            if closed {
                return Err(ReadError::Closed);
            }
            tokio::select! {
                // The sender lives in the log that we hold.
                _ = self.head.changed() => {}
                () = self.log.live().closed.cancelled() => {}
            }
        }
    }

    /// Everything up to here has been handed out.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}
