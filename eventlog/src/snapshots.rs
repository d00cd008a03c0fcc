//! The task that encodes snapshots and has them written, apart from every command: nobody waits for it, and when it does not keep
//! up, snapshots are left out.

use crate::{backend::Reader, live::Live, snapshot::Snapshot, stream_id::StreamId, writer::Work};
use std::sync::Arc;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// States that may wait. Each is a copy in memory.
const WAITING: usize = 8;

/// A state that is to be encoded and written.
pub(crate) struct Job {
    pub(crate) stream: StreamId,
    pub(crate) sequence: u64,
    pub(crate) state_version: u32,
    pub(crate) encode: Box<dyn FnOnce() -> Result<Vec<u8>, String> + Send>,
}

/// Where jobs are left.
#[derive(Debug)]
pub(crate) struct Snapshots(mpsc::Sender<Job>);

impl Snapshots {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, waiting) = mpsc::channel(WAITING);
        (Self(jobs), waiting)
    }

    /// Leaves a job if there is room for it; only then it is made. Says whether it was.
    pub(crate) fn offer(&self, live: &Live, job: impl FnOnce() -> Job) -> bool {
        match self.0.try_reserve() {
            Ok(room) => {
                live.counters.snapshots_taken.add(1);
                room.send(job());
                true
            }
            Err(TrySendError::Full(()) | TrySendError::Closed(())) => false,
        }
    }
}

/// The task.
pub(crate) struct SnapshotTask {
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) live: Arc<Live>,
    pub(crate) reader: Arc<Reader>,
    /// Where the database has one writer, a snapshot has to come to it.
    pub(crate) queue: mpsc::Sender<Work>,
}

impl SnapshotTask {
    /// Runs until the log closes, and leaves undone what waits then.
    pub(crate) async fn run(mut self) {
        let closing = self.live.closing.clone();
        let work = async {
            while let Some(job) = self.jobs.recv().await {
                let stream = job.stream.clone();
                match self.write(job).await {
                    Ok(()) => self.live.counters.snapshots_written.add(1),
                    Err(error) => {
                        tracing::warn!(%stream, %error, "a snapshot was not written");
                        self.live.counters.snapshots_failed.add(1);
                    }
                }
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = work => {}
        }
    }

    async fn write(&self, job: Job) -> Result<(), String> {
        let Job { stream, sequence, state_version, encode } = job;
        // A long conversation takes milliseconds.
        let state = tokio::task::spawn_blocking(encode).await.map_err(|error| error.to_string())??;
        let snapshot = Snapshot { stream, sequence, state_version, state };
        match &*self.reader {
            Reader::Postgres(reader) => reader.save_snapshot(&snapshot).await.map_err(|error| error.to_string()),
            #[cfg(feature = "kurrentdb")]
            Reader::Kurrent(reader) => reader.save_snapshot(&snapshot).await,
            Reader::Sqlite(_) => {
                let (reply, answer) = oneshot::channel();
                let closed = || "the log is closed".to_owned();
                self.queue.send(Work::Snapshot { snapshot, reply }).await.map_err(|_| closed())?;
                answer.await.map_err(|_| closed())?
            }
        }
    }
}
