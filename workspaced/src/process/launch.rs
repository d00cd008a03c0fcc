//! Starting a process's supervisor, and hearing of the process's end.

use super::record::{Exited, Record, now_ms};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Child, sync::watch};

/// How often a process that an earlier daemon started is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Runs the daemon's own program as the supervisor of a process.
pub fn supervisor(program: &Path, record: &Record, env: BTreeMap<OsString, OsString>) -> io::Result<Child> {
    tokio::process::Command::new(program)
        .arg("supervise")
        .arg(record.dir())
        .env_clear()
        .envs(env)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(false)
        .spawn()
}

/// The daemon's own program, also after the file was replaced by a newer one.
pub fn own_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(if path.exists() { path } else { PathBuf::from("/proc/self/exe") })
}

/// Tells of a process's end, once.
pub fn watch(record: Record, child: Option<Child>) -> watch::Receiver<Option<Exited>> {
    // One that ended before this daemon began is known as such from the start.
    let first = if child.is_none() { settle(&record).unwrap_or_default() } else { None };
    let known = first.is_some();
    let (sender, receiver) = watch::channel(first);
    if known {
        return receiver;
    }
    tokio::spawn(async move {
        let mut child = child;
        if let Some(stdout) = child.as_mut().and_then(|child| child.stdout.as_mut()) {
            // One byte once the end is recorded; or nothing, when the supervisor died.
            let _ = stdout.read(&mut [0]).await;
        }
        let exited = loop {
            match settle(&record) {
                Ok(Some(exited)) => break exited,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, dir = %record.dir().display(), "a process's record cannot be read"),
            }
            tokio::time::sleep(POLL).await;
        };
        sender.send_replace(Some(exited));
        if let Some(mut child) = child {
            let _ = child.wait().await;
        }
    });
    receiver
}

/// How a process ended; `None` while it runs. One whose supervisor is gone is recorded as such.
fn settle(record: &Record) -> io::Result<Option<Exited>> {
    // Held until the end is recorded: no supervisor that is late begins in between.
    let Some(_lock) = record.lock()? else { return record.exited() };
    if let Some(exited) = record.exited()? {
        return Ok(Some(exited));
    }
    let exited = if record.started()?.is_some() {
        Exited { at_ms: now_ms(), unknown: true, ..Exited::default() }
    } else {
        Exited { at_ms: now_ms(), error: Some("its supervisor did not start it".to_owned()), ..Exited::default() }
    };
    record.set_exited(&exited)?;
    Ok(Some(exited))
}
