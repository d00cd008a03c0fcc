//! The supervisor of one process: runs the command, keeps its output, records how it ended.
//!
//! It is a session of its own and outlives the daemon. Its lock tells that it lives. The command runs under a further
//! layer of confinement, so that it reaches neither the supervisor's directory nor any other record of the daemon's.

use super::{
    capture::Capture,
    record::{Exited, Record, Requested, Started, now_ms, start_ticks},
};
use crate::durable;
use std::{
    fs::File,
    io::{self, PipeReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How often output that goes on is put where the daemon reads it.
const FLUSH: Duration = Duration::from_millis(50);
/// How long after the command's end its output may still come in. What it left running can hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(1);
/// How long another may hold the lock until it is taken for a supervisor.
const LOCK: Duration = Duration::from_secs(1);

/// Runs the process whose directory this is, unless another supervisor did.
pub fn run(dir: &Path) -> io::Result<()> {
    let _ = rustix::process::setsid();
    let record = Record::at(dir.to_owned());
    let Some(_lock) = lock(&record)? else { return Ok(()) };
    if record.started()?.is_some() || record.exited()?.is_some() {
        return Ok(());
    }
    let requested = record.requested()?.ok_or(io::ErrorKind::NotFound)?;
    let (reader, writer) = io::pipe()?;
    record.set_started(Started { pid: None, start_ticks: None })?;
    let begun = Instant::now();
    let child = match spawn(&requested, writer) {
        Ok(child) => child,
        Err(error) => {
            let error = Some(error.to_string());
            record.set_exited(&Exited { at_ms: now_ms(), error, ..Exited::default() })?;
            return io::stdout().write_all(b".");
        }
    };
    supervise(&record, child, reader, begun)
}

/// The daemon holds the lock for an instant when it looks whether a supervisor does.
fn lock(record: &Record) -> io::Result<Option<File>> {
    let begun = Instant::now();
    loop {
        let lock = record.lock()?;
        if lock.is_some() || begun.elapsed() > LOCK {
            return Ok(lock);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn supervise(record: &Record, mut child: Child, reader: PipeReader, begun: Instant) -> io::Result<()> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    record.set_started(Started { pid: Some(pid), start_ticks: start_ticks(pid) })?;
    let capture = Arc::new(Mutex::new(Capture::default()));
    // Held from looking at the output to having it in its file, so that an older look never replaces a newer one.
    let writing = Arc::new(Mutex::new(()));
    let (ended, end) = mpsc::channel::<()>();
    let reading = {
        let capture = Arc::clone(&capture);
        thread::spawn(move || {
            read_all(reader, &capture);
            drop(ended);
        })
    };
    let flushing = flusher(Arc::clone(&capture), Arc::clone(&writing), record.output_path());
    let status = child.wait()?;
    let wall_ms = begun.elapsed().as_millis() as u64;
    let drained = !matches!(end.recv_timeout(DRAIN), Err(RecvTimeoutError::Timeout));
    {
        let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = capture.lock().unwrap_or_else(PoisonError::into_inner).bytes();
        durable::write(&record.output_path(), &kept)?;
    }
    let exited = Exited { code: status.code(), signal: status.signal(), at_ms: now_ms(), wall_ms, unknown: false, error: None };
    record.set_exited(&exited)?;
    // The daemon may be gone.
    let _ = io::stdout().write_all(b".").and_then(|()| io::stdout().flush());
    if !drained {
        // What the command left running goes on writing; without a reader it would die of it.
        let _ = reading.join();
    }
    drop(flushing);
    Ok(())
}

/// From a thread of its own, because the further confinement holds for the thread and what it starts.
fn spawn(requested: &Requested, writer: io::PipeWriter) -> io::Result<Child> {
    let launch = || -> io::Result<Child> {
        if let Some(confinement) = &requested.confinement {
            confinement.enforce().map_err(io::Error::other)?;
        }
        Command::new("/bin/sh")
            .arg("-c")
            .arg(&requested.start.command)
            .current_dir(&requested.workdir)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()
    };
    thread::scope(|scope| scope.spawn(launch).join()).map_err(|_| io::Error::other("the launching thread panicked"))?
}

fn read_all(mut reader: PipeReader, capture: &Mutex<Capture>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => capture.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Puts new output into its file from time to time, until the returned value is dropped.
fn flusher(capture: Arc<Mutex<Capture>>, writing: Arc<Mutex<()>>, path: PathBuf) -> mpsc::Sender<()> {
    let (stop, stopped) = mpsc::channel();
    thread::spawn(move || {
        let mut written = 0;
        while matches!(stopped.recv_timeout(FLUSH), Err(RecvTimeoutError::Timeout)) {
            let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let bytes = {
                let capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
                if capture.total() == written {
                    continue;
                }
                written = capture.total();
                capture.bytes()
            };
            let _ = durable::replace_lazily(&path, &bytes);
        }
    });
    stop
}
