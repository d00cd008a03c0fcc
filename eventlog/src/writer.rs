//! The one task that writes: it takes whatever waits, commits it as one transaction, shows it to the readers and answers.
//!
//! Nothing waits for a batch to fill: an append to an idle log is a transaction of its own, and what arrives during a commit is
//! the next batch. So batches grow by themselves when the disk is the limit.

#[cfg(feature = "kurrentdb")]
use crate::error::AppendError;
use crate::{
    backend::Store,
    bookmark::Bookmark,
    live::Live,
    request::{Pending, Request},
    snapshot::Snapshot,
    stream_id::StreamId,
    written::{Outcome, WriteError, Written},
};
use std::{collections::HashSet, io, sync::Arc, thread};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Bytes after which a batch is full.
const BATCH_BYTES: usize = 16 << 20;

pub(crate) enum Work {
    Append(Pending),
    /// Where the database has one writer, a bookmark has to come to it.
    Bookmark {
        name: String,
        bookmark: Bookmark,
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// A snapshot, likewise. It is written after the batch that it meets, so that it holds up nobody in it.
    Snapshot {
        snapshot: Snapshot,
        reply: oneshot::Sender<Result<(), String>>,
    },
}

pub(crate) struct Writer {
    store: Store,
    queue: mpsc::Receiver<Work>,
    /// Taken from the queue, but not fit for the batch that was being made.
    held: Option<Work>,
    /// Snapshots taken from the queue while a batch was being made.
    snapshots: Vec<(Snapshot, oneshot::Sender<Result<(), String>>)>,
    live: Arc<Live>,
    max_batch: usize,
}

impl Writer {
    pub(crate) fn new(store: Store, queue: mpsc::Receiver<Work>, live: Arc<Live>, max_batch: usize) -> Self {
        Self { store, queue, held: None, snapshots: Vec::new(), live, max_batch }
    }

    /// Starts the task. On SQLite it has a thread of its own, where it may block.
    pub(crate) fn start(self, tasks: &TaskTracker) -> io::Result<()> {
        let blocks = matches!(self.store, Store::Sqlite(_));
        let run = self.run();
        if !blocks {
            tasks.spawn(run);
            return Ok(());
        }
        let (run, runtime) = (tasks.track_future(run), Handle::current());
        thread::Builder::new().name("docket-log".into()).spawn(move || runtime.block_on(run)).map(|_| ())
    }

    /// Runs until the log closes, and answers everything that was taken before.
    async fn run(mut self) {
        // However this ends, nobody shall wait for it.
        let _closed = self.live.closed.clone().drop_guard();
        while let Some(work) = self.next().await {
            match work {
                Work::Append(first) => {
                    // Those who were answered just now are about to append again: what they want is in this batch then, and does
                    // not wait for a commit of the first one's alone. Where nobody else is ready this takes no time.
                    tokio::task::yield_now().await;
                    let batch = self.gather(first);
                    self.commit(batch).await;
                }
                Work::Bookmark { name, bookmark, reply } => {
                    let saved = match &mut self.store {
                        Store::Sqlite(store) => store.save_bookmark(&name, &bookmark),
                        Store::Postgres(_) => Err("a bookmark is saved without the writer here".into()),
                        #[cfg(feature = "kurrentdb")]
                        Store::Kurrent(_) => Err("a bookmark is saved without the writer here".into()),
                    };
                    let _ = reply.send(saved);
                }
                Work::Snapshot { snapshot, reply } => self.snapshots.push((snapshot, reply)),
            }
            self.save_snapshots();
        }
        self.store.close().await;
    }

    async fn next(&mut self) -> Option<Work> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        if !self.live.closing.is_cancelled() {
            tokio::select! {
                work = self.queue.recv() => return work,
                () = self.live.closing.cancelled() => {}
            }
        }
        // What is in the queue is still done; then there is nothing more.
        self.queue.close();
        self.queue.recv().await
    }

    /// Whatever waits, up to the limits, in its order.
    fn gather(&mut self, first: Pending) -> Vec<Pending> {
        let (mut events, mut bytes) = (first.request.events.len(), first.request.weight);
        let mut commands: HashSet<(StreamId, Uuid)> = HashSet::new();
        let mut key = |request: &Request| request.command.is_none_or(|id| commands.insert((request.stream.clone(), id)));
        key(&first.request);
        let mut batch = vec![first];
        while events < self.max_batch && bytes < BATCH_BYTES {
            match self.queue.try_recv() {
                // A repeat of a command is recognised by what is committed: it cannot be in the batch of the first.
                Ok(Work::Append(next)) if key(&next.request) => {
                    events += next.request.events.len();
                    bytes += next.request.weight;
                    batch.push(next);
                }
                Ok(Work::Snapshot { snapshot, reply }) => self.snapshots.push((snapshot, reply)),
                Ok(other) => {
                    self.held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        batch
    }

    fn save_snapshots(&mut self) {
        for (snapshot, reply) in self.snapshots.drain(..) {
            let saved = match &mut self.store {
                Store::Sqlite(store) => store.save_snapshot(&snapshot),
                Store::Postgres(_) => Err("a snapshot is saved without the writer here".into()),
                #[cfg(feature = "kurrentdb")]
                Store::Kurrent(_) => Err("a snapshot is saved without the writer here".into()),
            };
            let _ = reply.send(saved);
        }
    }

    async fn commit(&mut self, batch: Vec<Pending>) {
        let requests: Vec<&Request> = batch.iter().map(|pending| &pending.request).collect();
        #[cfg(feature = "kurrentdb")]
        if let Store::Kurrent(store) = &mut self.store {
            let answers = store.write(&requests).await;
            return self.answer_each(batch, answers);
        }
        match self.store.write(&requests).await {
            // Somebody's content is refused by the database: each alone, so that it fails nobody else.
            Err(WriteError::Refused(_)) if batch.len() > 1 => {
                for pending in batch {
                    let written = self.store.write(&[&pending.request]).await;
                    self.answer(vec![pending], written);
                }
            }
            written => self.answer(batch, written),
        }
    }

    /// Shows the events to the readers, then answers. All of it is durable by now.
    fn answer(&self, batch: Vec<Pending>, written: Result<Written, WriteError>) {
        let counters = &self.live.counters;
        match written {
            Ok(Written { outcomes, events }) => {
                counters.batches.add(1);
                counters.fault.set(None);
                counters.events.add(events.len() as u64);
                self.live.publish(events);
                for (pending, outcome) in batch.into_iter().zip(outcomes) {
                    self.give(pending, outcome);
                }
            }
            Err(error) => {
                tracing::error!(?error, appends = batch.len(), "the log could not be written");
                counters.failed.add(batch.len() as u64);
                if let WriteError::Unavailable(reason) | WriteError::Uncertain(reason) = &error {
                    counters.fault.set(Some(reason.clone()));
                }
                for pending in batch {
                    let _ = pending.reply.send(Err(error.answer()));
                }
            }
        }
    }

    fn give(&self, pending: Pending, outcome: Outcome) {
        let counters = &self.live.counters;
        match outcome {
            Outcome::Written { .. } => counters.appends.add(1),
            Outcome::Repeated { .. } => counters.repeated.add(1),
            Outcome::Conflict { .. } => counters.conflicts.add(1),
        }
        // Nobody may be waiting any more; that does not undo the append.
        let _ = pending.reply.send(outcome.answer(&pending.request));
    }

    /// Answers appends that were no transaction together. The events come to the readers by the subscription.
    #[cfg(feature = "kurrentdb")]
    fn answer_each(&self, batch: Vec<Pending>, answers: Vec<Result<Outcome, AppendError>>) {
        self.live.counters.batches.add(1);
        for (pending, answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(outcome) => {
                    if let Outcome::Written { .. } = outcome {
                        self.live.counters.fault.set(None);
                        self.live.counters.events.add(pending.request.count());
                    }
                    self.give(pending, outcome);
                }
                Err(error) => {
                    tracing::warn!(%error, "an append failed");
                    self.live.counters.failed.add(1);
                    if let AppendError::Storage { reason } | AppendError::Uncertain { reason } = &error {
                        self.live.counters.fault.set(Some(reason.clone()));
                    }
                    let _ = pending.reply.send(Err(error));
                }
            }
        }
    }
}
