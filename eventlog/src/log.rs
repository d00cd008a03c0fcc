//! The handle to an open log.

#[cfg(feature = "kurrentdb")]
use crate::kurrent;
use crate::{
    append::{Append, Appended},
    backend::{Reader, SegmentTables, Store},
    bookmark::Bookmark,
    database_url::DatabaseUrl,
    error::{AppendError, OpenError, ReadError},
    filter::Filter,
    follower::Follower,
    live::Live,
    options::Options,
    page::{MAX_BYTES, Page},
    page_rows::PageRows,
    postgres,
    recorded::Recorded,
    request::{Pending, Request},
    segments::Sealed,
    snapshot::StoredSnapshot,
    snapshots::{Job, SnapshotTask, Snapshots},
    sqlite,
    stats::Stats,
    stream_id::StreamId,
    subscription::Subscription,
    writer::{Work, Writer},
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// KiB of appends that may wait in memory. Above the largest append, so that each gets its turn.
const QUEUE_KIB: usize = 128 << 10;

/// Events in memory that one page looks at when it wants only some of them.
const SCAN: usize = 4096;

/// The bookmark that is written to see whether the database takes it.
const CHECK: &str = "check";

/// An open log. Cheap to clone; the log closes when the last handle and the last subscription are gone, or by [`Log::close`].
#[derive(Clone, Debug)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    live: Arc<Live>,
    queue: mpsc::Sender<Work>,
    memory: Arc<Semaphore>,
    reader: Arc<Reader>,
    sealed: Arc<Sealed>,
    snapshots: Snapshots,
    tasks: TaskTracker,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.live.closing.cancel();
    }
}

impl Log {
    /// Lets the database's client install its provider of cryptography, where it insists on one: KurrentDB's does. To be called
    /// before anybody else in the process installs one; [`Log::open`] does it, too.
    ///
    /// # Errors
    /// When somebody else was faster, or this build has no such client.
    pub async fn prepare(url: &DatabaseUrl) -> Result<(), OpenError> {
        match url {
            DatabaseUrl::Sqlite(_) | DatabaseUrl::Postgres(_) => Ok(()),
            #[cfg(feature = "kurrentdb")]
            DatabaseUrl::Kurrentdb(_) => kurrent::claim_cryptography().await,
            #[cfg(not(feature = "kurrentdb"))]
            DatabaseUrl::Kurrentdb(_) => Err(OpenError::NotBuilt),
        }
    }

    /// Opens a log, makes or migrates its tables where it has any, and starts its writer. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has the SQLite file; otherwise the database cannot be reached or used.
    pub async fn open(url: &DatabaseUrl, options: Options) -> Result<Self, OpenError> {
        let worker = Uuid::now_v7();
        let tasks = TaskTracker::new();
        let (store, reader, tables, live) = match url {
            DatabaseUrl::Sqlite(path) => {
                let (writer, reader, head) = Box::pin(sqlite::open(path, &options)).await?;
                let tables = SegmentTables::Sqlite(sqlite::Segments::new(path.clone()));
                (Store::Sqlite(Box::new(writer)), Reader::Sqlite(reader), tables, Arc::new(Live::new(worker, head)))
            }
            DatabaseUrl::Postgres(url) => {
                let opened = Box::pin(postgres::open(url, &options, worker)).await?;
                let live = Arc::new(Live::new(worker, opened.head));
                tasks.spawn(opened.listener.run(live.clone()));
                let tables = SegmentTables::Postgres(opened.segments);
                (Store::Postgres(Box::new(opened.writer)), Reader::Postgres(opened.reader), tables, live)
            }
            #[cfg(feature = "kurrentdb")]
            DatabaseUrl::Kurrentdb(url) => {
                let opened = Box::pin(kurrent::open(url, worker)).await?;
                let live = Arc::new(Live::new(worker, opened.head));
                tasks.spawn(opened.follower.run(live.clone()));
                tasks.spawn(opened.heartbeat.run(live.clone()));
                (Store::Kurrent(opened.writer), Reader::Kurrent(opened.reader), SegmentTables::None, live)
            }
            #[cfg(not(feature = "kurrentdb"))]
            DatabaseUrl::Kurrentdb(_) => return Err(OpenError::NotBuilt),
        };
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        // The writer of SQLite remembers more streams than a batch may name; see `sqlite::known`.
        let writer = Writer::new(store, waiting, live.clone(), options.max_batch.clamp(1, 16_384));
        writer.start(&tasks).map_err(|error| OpenError::Unsuitable(format!("no thread for its writer: {error}")))?;
        let (reader, (snapshots, jobs)) = (Arc::new(reader), Snapshots::new());
        let sealed = Arc::new(Sealed::new(tables, options.segments));
        if matches!(*reader, Reader::Postgres(_)) {
            tasks.spawn(Follower { live: live.clone(), reader: reader.clone(), sealed: sealed.clone() }.run());
        }
        tasks.spawn(SnapshotTask { jobs, live: live.clone(), reader: reader.clone(), queue: queue.clone() }.run());
        tasks.close();
        let memory = Arc::new(Semaphore::new(QUEUE_KIB));
        Ok(Self(Arc::new(Inner { live, queue, memory, reader, sealed, snapshots, tasks })))
    }

    /// Appends events to one stream; returns when they are durable. Readers may see them a little earlier than the caller does.
    ///
    /// Appends are queued in the order in which their futures are polled, and written in it; a caller need not wait for one before
    /// it sends the next. Dropping the future does not recall an append that is in the queue.
    ///
    /// # Errors
    /// See [`AppendError`]; a conflict is an ordinary result.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let request = Request::new(append)?;
        let closed = |_| AppendError::Closed;
        let kib = u32::try_from(request.weight / 1024 + 1).unwrap_or(u32::MAX);
        let permit = self.0.memory.clone().acquire_many_owned(kib).await.map_err(|_| AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.0.queue.send(Work::Append(Pending { request, reply, _permit: permit })).await.map_err(closed)?;
        answer.await.unwrap_or(Err(AppendError::Uncertain { reason: "the log's writer stopped".into() }))
    }

    /// The newest position, 0 for an empty log.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn head(&self) -> Result<u64, ReadError> {
        if let Some(head) = self.0.reader.head().await? {
            self.0.live.advance(head);
        }
        Ok(self.0.live.head())
    }

    /// Whether the log can be used now: the database answers, and where the last batch could not be written, something small can.
    ///
    /// # Errors
    /// [`ReadError`] with the reason.
    pub async fn check(&self) -> Result<(), ReadError> {
        let head = self.head().await?;
        let Some(reason) = self.0.live.counters.fault.get() else { return Ok(()) };
        // Nobody may append for as long as we say that it is of no use.
        self.save_bookmark(CHECK, head, Vec::new()).await.map_err(|_| ReadError::Storage { reason })?;
        self.0.live.counters.fault.set(None);
        Ok(())
    }

    /// A stream's events after a sequence, in order, at most `limit`. Fewer may come when they are large; none means that there
    /// are no more.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer, [`ReadError::Segment`] when the place of segments does not.
    pub async fn read_stream(
        &self,
        stream: &StreamId,
        after_sequence: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Recorded>>, ReadError> {
        Ok(self.read_stream_rows(stream, after_sequence, limit).await?.events)
    }

    pub(crate) async fn read_stream_rows(
        &self,
        stream: &StreamId,
        after_sequence: u64,
        limit: usize,
    ) -> Result<PageRows, ReadError> {
        self.0.sealed.stream(&self.0.reader, stream, after_sequence, limit.max(1)).await
    }

    /// The events after a position that the filter chooses, in order, at most `limit` (at least 1). Fewer may come, even none,
    /// before the end of the log: read on after [`Page::through`].
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer, [`ReadError::Segment`] when the place of segments does not.
    pub async fn read_all(&self, after: u64, filter: &Filter, limit: usize) -> Result<Page, ReadError> {
        if self.0.live.head() <= after {
            self.head().await?;
        }
        self.read_known(after, filter, limit).await
    }

    /// Reads no further than this process knows the log to reach. From memory where the events are there, else from rows.
    pub(crate) async fn read_known(&self, after: u64, filter: &Filter, limit: usize) -> Result<Page, ReadError> {
        let (head, limit) = (self.0.live.head(), limit.max(1));
        if head <= after {
            return Ok(Page { events: Vec::new(), through: after });
        }
        // A filter may pass over most of them.
        let recent = self.0.live.recent(after, if *filter == Filter::all() { limit } else { limit.max(SCAN) });
        if !recent.is_empty() {
            let (mut page, mut bytes) = (Page { events: Vec::new(), through: after }, 0);
            for event in recent.iter().flat_map(|commit| &commit.events).filter(|event| event.position > after) {
                page.through = event.position;
                if filter.matches(event) {
                    page.events.push(event.clone());
                    bytes += event.weight();
                }
                if page.events.len() == limit || bytes >= MAX_BYTES {
                    break;
                }
            }
            return Ok(page);
        }
        #[cfg(feature = "kurrentdb")]
        if let Reader::Kurrent(reader) = &*self.0.reader {
            return reader.page(after, head, filter, limit).await;
        }
        let horizon = filter.horizon(after, head);
        let rows = self.0.sealed.all(&self.0.reader, after, horizon, filter, limit).await?;
        let last = rows.events.last().map_or(after, |event| event.position);
        Ok(Page { through: if rows.complete { horizon } else { last }, events: rows.events })
    }

    /// Follows the log from after a position: first what is there, then what comes. It goes along with the log, whether or not
    /// there is something for it.
    #[must_use]
    pub fn subscribe(&self, after: u64, filter: Filter) -> Subscription {
        Subscription::every(self.clone(), after, filter)
    }

    /// The same for one of many readers: it is woken only by a commit that holds something for it, and shares the search with all
    /// that have the same filter. Where these are many they get what comes within some milliseconds (25 at most) together.
    #[must_use]
    pub fn follow(&self, after: u64, filter: Filter) -> Subscription {
        Subscription::wanted(self.clone(), after, filter)
    }

    /// The content with this SHA-256 (hex), if the log has it.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer or the stored content is damaged.
    pub async fn blob(&self, sha256_hex: &str) -> Result<Option<Bytes>, ReadError> {
        // What is not a digest names nothing.
        let Ok(digest) = hex::decode(sha256_hex) else { return Ok(None) };
        let Some(stored) = self.0.reader.blob(&digest).await? else { return Ok(None) };
        let content = stored.content().map_err(ReadError::damaged)?;
        if crate::leaf::sha256(&content)[..] != digest[..] {
            return Err(ReadError::damaged(format!("blob {sha256_hex} has other content")));
        }
        Ok(Some(content))
    }

    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn load_bookmark(&self, name: &str) -> Result<Option<Bookmark>, ReadError> {
        self.0.reader.bookmark(name).await
    }

    /// Remembers a position and a state under a name, in place of what was there.
    ///
    /// # Errors
    /// [`ReadError::Closed`], or [`ReadError::Storage`] when the database does not take it.
    pub async fn save_bookmark(&self, name: &str, position: u64, state: Vec<u8>) -> Result<(), ReadError> {
        let bookmark = Bookmark { position, state };
        if let Reader::Postgres(reader) = &*self.0.reader {
            return Ok(reader.save_bookmark(name, &bookmark).await?);
        }
        #[cfg(feature = "kurrentdb")]
        if let Reader::Kurrent(reader) = &*self.0.reader {
            return reader.save_bookmark(name, &bookmark).await.map_err(ReadError::damaged);
        }
        let (reply, answer) = oneshot::channel();
        let work = Work::Bookmark { name: name.to_owned(), bookmark, reply };
        self.0.queue.send(work).await.map_err(|_| ReadError::Closed)?;
        answer.await.map_err(|_| ReadError::Closed)?.map_err(ReadError::damaged)
    }

    /// What a command did to the stream, if it was applied: repeats are answered with this.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn find_command(&self, stream: &StreamId, command: Uuid) -> Result<Option<Appended>, ReadError> {
        let found = self.0.reader.command(stream, command).await?;
        Ok(found.map(|(last_position, last_sequence)| Appended { last_position, last_sequence, repeated: true }))
    }

    /// This process's id for as long as the log is open; a new one every time.
    #[must_use]
    pub fn worker(&self) -> Uuid {
        self.0.live.worker
    }

    /// Whether the process with this id has the log open. One that has just lost its connection to Postgres is not seen as alive
    /// until it has connected again; what it appends is then fenced by what it expects. On KurrentDB one that was killed is seen as
    /// alive for ten seconds more.
    ///
    /// # Errors
    /// [`ReadError::Storage`] when the database does not answer.
    pub async fn is_worker_alive(&self, worker: Uuid) -> Result<bool, ReadError> {
        if worker == self.worker() {
            return Ok(!self.0.live.closed.is_cancelled());
        }
        self.0.reader.is_alive(worker).await
    }

    /// Takes no more appends, answers those that wait, ends the subscriptions, and lets the database go. Safe to call twice.
    pub async fn close(&self) {
        self.0.live.closing.cancel();
        self.0.tasks.wait().await;
        self.0.reader.close().await;
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.0.live.counters;
        Stats {
            events: counters.events.get(),
            appends: counters.appends.get(),
            repeated: counters.repeated.get(),
            conflicts: counters.conflicts.get(),
            failed: counters.failed.get(),
            batches: counters.batches.get(),
            fetched: counters.fetched.get(),
            queued: (self.0.queue.max_capacity() - self.0.queue.capacity()) as u64,
            head: self.0.live.head(),
            events_loaded: counters.events_loaded.get(),
            snapshots_used: counters.snapshots_used.get(),
            snapshots_taken: counters.snapshots_taken.get(),
            snapshots_written: counters.snapshots_written.get(),
            snapshots_failed: counters.snapshots_failed.get(),
        }
    }

    /// The stream's snapshot, if there is one of this version of the state.
    pub(crate) async fn find_snapshot(&self, stream: &StreamId, version: u32) -> Result<Option<StoredSnapshot>, ReadError> {
        self.0.reader.snapshot(stream, version).await
    }

    /// Has a snapshot written if there is room for it.
    pub(crate) fn offer_snapshot(&self, job: impl FnOnce() -> Job) -> bool {
        self.0.snapshots.offer(&self.0.live, job)
    }

    /// Whether nobody but this process can write.
    pub(crate) fn is_only_process(&self) -> bool {
        matches!(*self.0.reader, Reader::Sqlite(_))
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.0.reader
    }

    pub(crate) fn sealed(&self) -> &Sealed {
        &self.0.sealed
    }
}
