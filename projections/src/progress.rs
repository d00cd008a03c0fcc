//! How far each live view is known to have come: what read-your-writes stands on.

use crate::error::Behind;
use std::{
    sync::{Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    /// None while there is nothing to read.
    position: watch::Sender<Option<u64>>,
    pub(crate) leading: AtomicBool,
    /// Why this process cannot keep the view up to date at the moment.
    pub(crate) fault: Fault,
    /// Why it cannot build a new generation at the moment.
    pub(crate) build_fault: Fault,
}

/// What is wrong, while it is.
#[derive(Debug, Default)]
pub(crate) struct Fault(Mutex<Option<String>>);

impl Fault {
    pub(crate) fn set(&self, error: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Progress {
    pub(crate) fn new(name: &'static str, version: u32) -> Self {
        let position = watch::Sender::new(None);
        Self { name, version, position, leading: AtomicBool::default(), fault: Fault::default(), build_fault: Fault::default() }
    }

    /// The rows show every event up to here.
    pub(crate) fn reached(&self) -> Option<u64> {
        *self.position.borrow()
    }

    pub(crate) fn reach(&self, position: u64) {
        self.position.send_if_modified(|reached| {
            let further = Some(position) > *reached;
            *reached = Some(position).max(*reached);
            further
        });
    }

    pub(crate) async fn wait_for(&self, wanted: u64, timeout: Duration) -> Result<(), Behind> {
        let mut position = self.position.subscribe();
        let reached = tokio::time::timeout(timeout, position.wait_for(|reached| *reached >= Some(wanted))).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Behind { projection: self.name, reached: self.reached().unwrap_or(0), wanted }),
        }
    }
}
