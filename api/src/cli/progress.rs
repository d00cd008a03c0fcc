//! How far long work has come, on a terminal.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::atomic::{AtomicU64, Ordering},
};

/// A line on standard error that is written over with each percent; nothing where that is no terminal.
pub(super) fn percent(what: &'static str) -> impl Fn(u64, u64) + Sync {
    let shown = AtomicU64::new(u64::MAX);
    let terminal = stderr().is_terminal();
    move |done, total| {
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        if terminal && shown.swap(percent, Ordering::Relaxed) != percent {
            let end = if done >= total { "\n" } else { "" };
            // Where nobody reads it, there is nobody to tell.
            let _ = write!(stderr().lock(), "\r{what} {percent:3} %{end}");
        }
    }
}
