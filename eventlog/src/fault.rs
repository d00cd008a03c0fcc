//! What keeps the log from being written, as long as it does.

use std::sync::{Mutex, PoisonError};

/// The reason why the last batch could not be written; none after one that was.
#[derive(Debug, Default)]
pub(crate) struct Fault(Mutex<Option<String>>);

impl Fault {
    pub(crate) fn set(&self, reason: Option<String>) {
        // Nothing in here can panic halfway.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
