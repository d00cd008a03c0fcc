//! A process's directory: what was asked, that it began, how it ended.

use crate::{confine::Confinement, durable};
use docket_wire::process::StartProcess;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Written before anything runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Requested {
    /// The hash of the request, as in the record of its key.
    pub request: String,
    /// As received.
    pub start: StartProcess,
    /// Absolute.
    pub workdir: PathBuf,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// In force for the command, beyond the daemon's own.
    pub confinement: Option<Confinement>,
}

/// Written by the supervisor: without a pid just before the command runs, with it right after.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Of the shell, and its process group.
    pub pid: Option<i32>,
    /// Tells the process from a later one with the same pid.
    pub start_ticks: Option<u64>,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exited {
    /// Unless a signal ended it.
    pub code: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// From the start to the end.
    pub wall_ms: u64,
    /// Nobody saw how it ended.
    #[serde(default)]
    pub unknown: bool,
    /// Why it could not be run at all.
    #[serde(default)]
    pub error: Option<String>,
}

/// How far a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing ran, and nothing will unless a supervisor is started.
    NotStarted,
    /// Its supervisor lives.
    Running,
    /// It ended, and this is how.
    Exited(Exited),
    /// It began, and its supervisor is gone without a word.
    Lost,
}

/// A process's directory.
#[derive(Clone, Debug)]
pub struct Record(PathBuf);

impl Record {
    /// The directory need not exist.
    pub fn at(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Makes the directory with the request in it: all of it or nothing, durable when this returns.
    pub fn create(&self, requested: &Requested) -> io::Result<()> {
        let mut temp = self.0.as_os_str().to_owned();
        temp.push(".new");
        let temp = PathBuf::from(temp);
        if temp.exists() {
            std::fs::remove_dir_all(&temp)?;
        }
        durable::private_dir(&temp)?;
        durable::write_json(&temp.join("request.json"), requested)?;
        std::fs::rename(&temp, &self.0)?;
        self.0.parent().map_or(Ok(()), durable::sync_dir)
    }

    /// `None` where there is no such process.
    pub fn requested(&self) -> io::Result<Option<Requested>> {
        durable::read_json(&self.0.join("request.json"))
    }

    /// `None` until the supervisor is about to run it.
    pub fn started(&self) -> io::Result<Option<Started>> {
        durable::read_json(&self.0.join("started.json"))
    }

    /// The first writing is durable, the second only adds the pid.
    pub fn set_started(&self, started: Started) -> io::Result<()> {
        let path = self.0.join("started.json");
        if started.pid.is_none() {
            return durable::write_json(&path, &started);
        }
        durable::replace_lazily(&path, &serde_json::to_vec(&started).map_err(io::Error::other)?)
    }

    /// `None` until it has ended.
    pub fn exited(&self) -> io::Result<Option<Exited>> {
        durable::read_json(&self.0.join("exit.json"))
    }

    /// Says how it ended, for good.
    pub fn set_exited(&self, exited: &Exited) -> io::Result<()> {
        durable::write_json(&self.0.join("exit.json"), exited)
    }

    /// Where the kept output lies.
    pub fn output_path(&self) -> PathBuf {
        self.0.join("output")
    }

    /// The supervisor's lock, held as long as it lives; `None` where another holds it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.0.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How far it is.
    pub fn state(&self) -> io::Result<State> {
        if let Some(exited) = self.exited()? {
            return Ok(State::Exited(exited));
        }
        let Some(_lock) = self.lock()? else { return Ok(State::Running) };
        // It may have ended between the two looks.
        if let Some(exited) = self.exited()? {
            return Ok(State::Exited(exited));
        }
        Ok(if self.started()?.is_some() { State::Lost } else { State::NotStarted })
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// When a process started, in ticks since the machine's start.
pub fn start_ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}
