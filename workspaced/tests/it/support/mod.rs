//! What the tests share.

mod local;
mod plane;
mod process;

pub(crate) use local::Local;
pub(crate) use plane::{CONNECTIONS, Plane, Record};
pub(crate) use process::{DaemonProcess, binary};

use docket_wire::process::StartProcess;
use docket_workspaces::CallError;
use std::time::{Duration, Instant};

/// Waits until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A command with a time to wait for it.
pub(crate) fn command(command: &str, timeout_ms: u64) -> StartProcess {
    StartProcess {
        command: command.to_owned(),
        timeout_ms: Some(timeout_ms),
        background: false,
        workdir: None,
        env: Default::default(),
        owner: None,
    }
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, CallError>) -> String {
    match result {
        Err(CallError::Refused { code, message }) => {
            assert!(!message.is_empty());
            code
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// A key that was not used before.
pub(crate) fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}
