//! The process that a workspace's daemon hangs on, known also to a later control plane.

use super::layout::{Layout, write_private};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs, io,
    time::{Duration, Instant},
};

const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

/// A process, told from a later one with the same number by its start, and from one before the machine's restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pid: i32,
    start_ticks: u64,
    boot: String,
}

/// The recorded process; it may be gone.
pub(super) fn read(layout: &Layout) -> Option<Known> {
    serde_json::from_slice(&fs::read(layout.control().join("pid.json")).ok()?).ok()
}

pub(super) fn write(layout: &Layout, pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let start_ticks = stat(pid).map(|stat| stat.start_ticks).ok_or(io::ErrorKind::NotFound)?;
    let known = Known { pid, start_ticks, boot: boot() };
    write_private(&layout.control().join("pid.json"), &serde_json::to_vec(&known).map_err(io::Error::other)?)
}

pub(super) fn remove(layout: &Layout) {
    let _ = fs::remove_file(layout.control().join("pid.json"));
}

impl Known {
    /// Whether it is there.
    pub(super) fn runs(&self) -> bool {
        let same = stat(self.pid).filter(|stat| stat.start_ticks == self.start_ticks && !stat.ended);
        same.is_some() && self.boot == boot()
    }

    /// Asks it and all below it to end, then ends them; whether all are gone.
    pub(super) async fn end(&self) -> bool {
        let begun = Instant::now();
        let mut all: Vec<(i32, u64)> = Vec::new();
        while begun.elapsed() < PATIENCE {
            if self.runs() {
                for (pid, ticks) in family(self.pid) {
                    if !all.contains(&(pid, ticks)) {
                        all.push((pid, ticks));
                        // The outermost only waits for the others, who would be orphans without it.
                        if pid != self.pid {
                            signal(pid, Signal::TERM);
                        }
                    }
                }
            }
            all.retain(|(pid, ticks)| stat(*pid).is_some_and(|stat| stat.start_ticks == *ticks && !stat.ended));
            if all.is_empty() && !self.runs() {
                return true;
            }
            if begun.elapsed() > GRACE {
                all.iter().for_each(|(pid, _)| signal(*pid, Signal::KILL));
            } else if all.iter().all(|(pid, _)| *pid == self.pid) {
                signal(self.pid, Signal::TERM);
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

struct Stat {
    parent: i32,
    start_ticks: u64,
    ended: bool,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ended = matches!(*fields.first()?, "Z" | "X");
    Some(Stat { parent: fields.get(1)?.parse().ok()?, start_ticks: fields.get(19)?.parse().ok()?, ended })
}

/// A process and all that descend from it, with their starts.
fn family(first: i32) -> Vec<(i32, u64)> {
    let mut all: HashMap<i32, Stat> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(stat) = stat(pid)
        {
            all.insert(pid, stat);
        }
    }
    let descends = |pid: &i32| {
        let mut now = *pid;
        for _ in 0..all.len() {
            if now == first {
                return true;
            }
            match all.get(&now) {
                Some(stat) => now = stat.parent,
                None => return false,
            }
        }
        false
    };
    all.iter().filter(|(pid, _)| descends(pid)).map(|(pid, stat)| (*pid, stat.start_ticks)).collect()
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
