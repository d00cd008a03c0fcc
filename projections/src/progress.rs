//! How far each projection is known to have come: what read-your-writes and the lag metric stand on.

use crate::error::Behind;
use serde::Serialize;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::watch;
use utoipa::ToSchema;

#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    position: watch::Sender<u64>,
    pub(crate) leading: AtomicBool,
    pub(crate) failures: AtomicU64,
}

/// How far a projection is behind the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lag {
    pub projection: &'static str,
    pub version: u32,
    pub position: u64,
    pub head: u64,
    /// `head - position`, in events.
    pub lag: u64,
    /// Whether this process runs it; otherwise another one does.
    pub leading: bool,
    /// Events set aside by this process.
    pub failures: u64,
}

impl Progress {
    pub(crate) fn new(name: &'static str, version: u32) -> Self {
        let position = watch::Sender::new(0);
        Self { name, version, position, leading: AtomicBool::new(false), failures: AtomicU64::new(0) }
    }

    /// The rows show every event up to here.
    pub(crate) fn reached(&self) -> u64 {
        *self.position.borrow()
    }

    pub(crate) fn reach(&self, position: u64) {
        self.position.send_if_modified(|reached| {
            let further = position > *reached;
            *reached = position.max(*reached);
            further
        });
    }

    pub(crate) async fn wait_for(&self, wanted: u64, timeout: Duration) -> Result<(), Behind> {
        let mut position = self.position.subscribe();
        let reached = tokio::time::timeout(timeout, position.wait_for(|reached| *reached >= wanted)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Behind { projection: self.name, reached: self.reached(), wanted }),
        }
    }

    pub(crate) fn lag(&self, head: u64) -> Lag {
        let position = self.reached();
        Lag {
            projection: self.name,
            version: self.version,
            position,
            head,
            lag: head.saturating_sub(position),
            leading: self.leading.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}
