//! All processes that the daemon knows.

use super::{
    environment::{self, Environment},
    launch, output,
    record::{Exited, Record, Requested, State, now_ms, start_ticks},
};
use crate::{
    calls::{self, Call},
    confine::Confinement,
    durable,
    refusal::Refusal,
    root::Root,
};
use docket_wire::{
    limits::{COMMAND_BYTES, KEPT_PROCESSES, LISTED, OWNER_BYTES, RUNNING, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, WAIT_MAX_MS},
    problem::KEY_REUSED,
    process::{
        ListQuery, OutputQuery, ProcessInfo, ProcessList, ProcessOutput, Signal, SignalProcess, Signalled, StartProcess,
    },
};
use rustix::{
    fs::OFlags,
    process::{Pid, kill_process_group},
};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

const SHOWN_COMMAND_CHARS: usize = 500;
const PID_WAIT: Duration = Duration::from_secs(2);

/// A process that began.
#[derive(Debug)]
struct Process {
    id: String,
    record: Record,
    requested: Requested,
    exited: watch::Receiver<Option<Exited>>,
}

/// All processes, by id.
#[derive(Debug)]
pub struct Table {
    dir: PathBuf,
    program: PathBuf,
    environment: Environment,
    confinement: Option<Confinement>,
    processes: Mutex<HashMap<String, Arc<Process>>>,
}

impl Table {
    /// Finds the processes that an earlier daemon started. `program` is the daemon's own; `confinement` is that of commands, beyond the daemon's.
    pub fn open(
        state: &Path,
        program: PathBuf,
        environment: Environment,
        confinement: Option<Confinement>,
    ) -> io::Result<Self> {
        let dir = state.join("processes");
        durable::private_dir(&dir)?;
        let this = Self { dir, program, environment, confinement, processes: Mutex::default() };
        for entry in fs::read_dir(&this.dir)? {
            let path = entry?.path();
            let Some(id) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            let record = Record::at(path.clone());
            match record.requested() {
                Ok(Some(requested)) if !id.contains('.') => {
                    // One that was asked for but never began waits for the request to be repeated.
                    if record.state()? != State::NotStarted {
                        this.add(id, record, requested, None);
                    }
                }
                _ => fs::remove_dir_all(&path)?,
            }
        }
        Ok(this)
    }

    /// Runs a command, or finds the one that ran under the same key; waits for its end as the request says.
    pub async fn start(&self, root: &Root, call: &Call, request: StartProcess) -> Result<ProcessOutput, Refusal> {
        let id = call.name[..16].to_owned();
        let timeout = Duration::from_millis(request.timeout_ms.unwrap_or(TIMEOUT_DEFAULT_MS).min(TIMEOUT_MAX_MS));
        let background = request.background;
        let known = self.processes().get(&id).cloned();
        let process = match known {
            Some(process) if process.requested.request == call.request => process,
            Some(_) => return Err(reused()),
            None => self.launch(root, id, call, request)?,
        };
        if !background {
            let since = Duration::from_millis(now_ms().saturating_sub(process.requested.at_ms));
            ended(&process, timeout.saturating_sub(since)).await;
        }
        output_of(&process)
    }

    /// What a process wrote and how far it is.
    pub async fn output(&self, id: &str, query: &OutputQuery) -> Result<ProcessOutput, Refusal> {
        let process = self.find(id, query.owner.as_deref())?;
        ended(&process, Duration::from_millis(query.wait_ms.unwrap_or(0).min(WAIT_MAX_MS))).await;
        output_of(&process)
    }

    /// Running processes first, each group newest first.
    pub fn list(&self, query: &ListQuery) -> ProcessList {
        let mut processes: Vec<ProcessInfo> = self
            .processes()
            .values()
            .filter(|process| owned(process, query.owner.as_deref()))
            .map(|process| info(process))
            .collect();
        processes.sort_by_key(|info| (!info.running, std::cmp::Reverse(info.started_at_ms)));
        processes.truncate(LISTED);
        ProcessList { processes }
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.processes().values().filter(|process| process.exited.borrow().is_none()).count()
    }

    /// Signals a process and all of its group.
    pub async fn signal(&self, id: &str, request: &SignalProcess) -> Result<Signalled, Refusal> {
        let process = self.find(id, request.owner.as_deref())?;
        let gone = || Refusal::with(409, "not_running", format!("process {id} has ended"));
        if process.exited.borrow().is_some() {
            return Err(gone());
        }
        let pid = tokio::time::timeout(PID_WAIT, pid(&process)).await.ok().flatten().ok_or_else(gone)?;
        let signal = match request.signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match kill_process_group(pid, signal) {
            Ok(()) => Ok(Signalled { process_id: id.to_owned() }),
            Err(rustix::io::Errno::SRCH) => Err(gone()),
            Err(error) => Err(Refusal::internal("the signal", &error)),
        }
    }

    /// Kills all that runs, because the workspace is no more.
    pub async fn kill_all(&self) {
        let all: Vec<_> = self.processes().values().cloned().collect();
        for process in all.iter().filter(|process| process.exited.borrow().is_none()) {
            let request = SignalProcess { signal: Signal::Kill, owner: None };
            if let Err(error) = self.signal(&process.id, &request).await {
                tracing::debug!(%error, "a process could not be killed");
            }
        }
    }

    fn launch(&self, root: &Root, id: String, call: &Call, request: StartProcess) -> Result<Arc<Process>, Refusal> {
        let record = Record::at(self.dir.join(&id));
        let failed = |error: io::Error| Refusal::internal("the process", &error);
        if let Some(requested) = record.requested().map_err(failed)? {
            return self.resume(id, call, record, requested);
        }
        let workdir = check(root, &request)?;
        if self.running() >= RUNNING {
            let message = format!("{RUNNING} processes run already; end some of them first");
            return Err(Refusal::with(429, "too_many_processes", message));
        }
        let requested = Requested {
            request: call.request.clone(),
            start: request,
            workdir,
            at_ms: now_ms(),
            confinement: self.confinement.clone(),
        };
        record.create(&requested).map_err(failed)?;
        let env = self.environment.with(&requested.start.env);
        let child = launch::supervisor(&self.program, &record, env).map_err(|error| {
            let _ = fs::remove_dir_all(record.dir());
            failed(error)
        })?;
        self.prune();
        Ok(self.add(id, record, requested, Some(child)))
    }

    /// One that an earlier daemon was asked for by the same key, and that had not begun when this daemon looked. Perhaps its
    /// supervisor has by now. If not, another one is started; of two, one begins.
    fn resume(&self, id: String, call: &Call, record: Record, requested: Requested) -> Result<Arc<Process>, Refusal> {
        let failed = |error: io::Error| Refusal::internal("the process", &error);
        if requested.request != call.request {
            return Err(reused());
        }
        let child = match record.state().map_err(failed)? {
            State::NotStarted => {
                let env = self.environment.with(&requested.start.env);
                Some(launch::supervisor(&self.program, &record, env).map_err(failed)?)
            }
            State::Running | State::Exited(_) | State::Lost => None,
        };
        Ok(self.add(id, record, requested, child))
    }

    fn add(&self, id: String, record: Record, requested: Requested, child: Option<tokio::process::Child>) -> Arc<Process> {
        let exited = launch::watch(record.clone(), child);
        let process = Arc::new(Process { id: id.clone(), record, requested, exited });
        self.processes().insert(id, Arc::clone(&process));
        process
    }

    fn find(&self, id: &str, owner: Option<&str>) -> Result<Arc<Process>, Refusal> {
        let found = self.processes().get(id).filter(|process| owned(process, owner)).cloned();
        found.ok_or_else(|| Refusal::with(404, "no_such_process", format!("there is no process {id:?}; list the processes")))
    }

    fn prune(&self) {
        let mut processes = self.processes();
        let mut ended: Vec<(u64, String)> = processes
            .values()
            .filter_map(|process| Some((process.exited.borrow().as_ref()?.at_ms, process.id.clone())))
            .collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(KEPT_PROCESSES);
        for (_, id) in ended.into_iter().take(surplus) {
            if let Some(process) = processes.remove(&id) {
                let _ = fs::remove_dir_all(process.record.dir());
            }
        }
    }

    fn processes(&self) -> MutexGuard<'_, HashMap<String, Arc<Process>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reused() -> Refusal {
    Refusal::with(409, KEY_REUSED, "this idempotency key was used for another command")
}

async fn ended(process: &Process, at_most: Duration) {
    let mut exited = process.exited.clone();
    let _ = tokio::time::timeout(at_most, exited.wait_for(Option::is_some)).await;
}

async fn pid(process: &Process) -> Option<Pid> {
    loop {
        let started = process.record.started().ok().flatten();
        if let Some(pid) = started.and_then(|started| started.pid) {
            let same = start_ticks(pid) == started.and_then(|started| started.start_ticks);
            return Pid::from_raw(pid).filter(|_| same);
        }
        if process.exited.borrow().is_some() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn owned(process: &Process, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| process.requested.start.owner.as_deref() == Some(owner))
}

fn output_of(process: &Process) -> Result<ProcessOutput, Refusal> {
    let exited = process.exited.borrow().clone();
    if exited.as_ref().is_some_and(|exited| exited.unknown) {
        return Err(calls::unknown());
    }
    if let Some(error) = exited.as_ref().and_then(|exited| exited.error.as_ref()) {
        return Err(Refusal::with(422, "not_started", format!("the command could not be started: {error}")));
    }
    let read = output::read(&process.record.output_path());
    let (output, truncated) = read.map_err(|error| Refusal::internal("the output", &error))?;
    Ok(ProcessOutput {
        process_id: process.id.clone(),
        running: exited.is_none(),
        exit_code: exited.as_ref().and_then(|exited| exited.code),
        signal: exited.as_ref().and_then(|exited| exited.signal),
        output,
        truncated,
        wall_ms: exited.map_or_else(|| now_ms().saturating_sub(process.requested.at_ms), |exited| exited.wall_ms),
    })
}

fn info(process: &Process) -> ProcessInfo {
    let exited = process.exited.borrow().clone();
    let start = &process.requested.start;
    ProcessInfo {
        process_id: process.id.clone(),
        command: start.command.chars().take(SHOWN_COMMAND_CHARS).collect(),
        workdir: process.requested.workdir.display().to_string(),
        background: start.background,
        running: exited.is_none(),
        exit_code: exited.as_ref().and_then(|exited| exited.code),
        signal: exited.as_ref().and_then(|exited| exited.signal),
        outcome_unknown: exited.as_ref().is_some_and(|exited| exited.unknown),
        started_at_ms: process.requested.at_ms,
        exited_at_ms: exited.map(|exited| exited.at_ms),
    }
}

/// Whether a command can be run; where.
fn check(root: &Root, request: &StartProcess) -> Result<PathBuf, Refusal> {
    if request.command.trim().is_empty() || request.command.contains('\0') {
        return Err(Refusal::invalid("invalid_command", "the command is empty or has a NUL"));
    }
    if request.command.len() > COMMAND_BYTES {
        let message = format!("a command has at most {COMMAND_BYTES} bytes; write a script and run that");
        return Err(Refusal::with(413, "command_too_large", message));
    }
    if request.owner.as_ref().is_some_and(|owner| owner.len() > OWNER_BYTES) {
        return Err(Refusal::invalid("invalid_owner", format!("an owner has at most {OWNER_BYTES} bytes")));
    }
    environment::check(&request.env)?;
    let shown = request.workdir.as_deref().unwrap_or(".");
    let path = root.resolve(shown)?;
    root.open_at(&path, OFlags::PATH | OFlags::DIRECTORY).map_err(|error| Refusal::io(shown, &error))?;
    Ok(root.dir().join(path.relative()))
}
