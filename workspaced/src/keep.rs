//! The daemon's keeper: starts it, starts it again when it crashes, and ends all of its processes when told to end.
//!
//! It is the parent of last resort of everything below it, so commands that the daemon's death orphaned are still found.
//! In a container it can be the first process.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};
use std::{
    collections::HashMap,
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A daemon that ran this long crashed for another reason than the last one.
const HEALTHY: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

/// Keeps `run` with these arguments going. Called before any thread is started.
pub fn keep(arguments: Vec<std::ffi::OsString>) -> Result<()> {
    let own = rustix::process::getpid();
    set_child_subreaper(Some(own)).context("the keeper cannot adopt processes")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut child_ended = signal(SignalKind::child())?;
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let daemon = start(&arguments)?;
            let clean = tokio::select! {
                clean = ended(&daemon, &mut child_ended) => clean,
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
            };
            if clean {
                return end_all(own).await;
            }
            pause = if begun.elapsed() > HEALTHY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tracing::warn!(?pause, "the daemon crashed and is started again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = terminate.recv() => return end_all(own).await,
            }
        }
    })
}

fn start(arguments: &[std::ffi::OsString]) -> Result<Child> {
    Command::new(crate::process::launch::own_program()?)
        .arg("run")
        .args(arguments)
        .arg("--with-parent")
        .stdin(Stdio::null())
        .spawn()
        .context("the daemon could not be started")
}

/// Reaps whatever ends, until the daemon has: whether it ended of its own accord.
async fn ended(daemon: &Child, child_ended: &mut tokio::signal::unix::Signal) -> bool {
    let daemon = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
    loop {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Some(pid) == daemon {
                return status.exit_status() == Some(0);
            }
        }
        child_ended.recv().await;
    }
}

/// Asks everything below to end, then ends it.
async fn end_all(own: Pid) -> Result<()> {
    let begun = Instant::now();
    let mut asked = Vec::new();
    loop {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let below = below(own);
        if below.is_empty() {
            return Ok(());
        }
        for pid in below {
            if begun.elapsed() > GRACE {
                let _ = kill_process(pid, Signal::KILL);
            } else if !asked.contains(&pid) {
                asked.push(pid);
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// All processes that descend from this one.
fn below(own: Pid) -> Vec<Pid> {
    let mut parents: HashMap<i32, i32> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        let stat = fs::read_to_string(entry.path().join("stat")).ok();
        let Some((pid, stat)) = pid.zip(stat) else { continue };
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if let Some(parent) = fields.split_ascii_whitespace().nth(1).and_then(|parent| parent.parse().ok()) {
            parents.insert(pid, parent);
        }
    }
    let own = own.as_raw_nonzero().get();
    let descends = |mut pid: i32| {
        for _ in 0..parents.len() {
            match parents.get(&pid) {
                Some(parent) if *parent == own => return true,
                Some(parent) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().copied().filter(|pid| descends(*pid)).filter_map(Pid::from_raw).collect()
}
