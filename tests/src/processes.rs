//! The processes of a data folder: found, looked at, ended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// All processes that name the folder on their command line or are in it, and all that descend from them.
#[must_use]
pub fn of(folder: &Path) -> BTreeSet<u32> {
    let name = folder.as_os_str().as_encoded_bytes();
    let (mut found, mut parents) = (BTreeSet::new(), BTreeMap::new());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some(parent) = parent(pid) else { continue };
        parents.insert(pid, parent);
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let named = command.windows(name.len()).any(|window| window == name);
        let inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if (named || inside) && pid != std::process::id() {
            found.insert(pid);
        }
    }
    loop {
        let more: Vec<u32> = parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

/// `None` for one that is gone, or ended and not yet reaped.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    (!matches!(fields[0], "Z" | "X")).then(|| fields[1].parse().unwrap())
}

pub fn signal(pid: u32, signal: Signal) {
    // One that is gone needs none.
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// Kills all processes of the folder and waits until they are gone.
pub fn end(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let left = of(folder);
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        left.into_iter().for_each(|pid| signal(pid, Signal::KILL));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The command line, with spaces between the words.
#[must_use]
pub fn command_line(pid: u32) -> String {
    fs::read(format!("/proc/{pid}/cmdline")).map(|bytes| readable(&bytes)).unwrap_or_default()
}

#[must_use]
pub fn environment(pid: u32) -> String {
    fs::read(format!("/proc/{pid}/environ")).map(|bytes| readable(&bytes)).unwrap_or_default()
}

fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', " ")
}

/// Memory that is in use, in KiB; 0 for a process that is gone.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}
