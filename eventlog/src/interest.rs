//! Who waits for what: a commit wakes only the readers that want something of it.

use crate::{
    filter::Filter,
    pace::{Pace, Turn},
    page::{MAX_BYTES, Page},
    recorded::Recorded,
    ring::Commit,
    stream_id::StreamId,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, sleep_until},
};
use uuid::Uuid;

/// Readers with the same filter. A commit is looked at once for all of them.
#[derive(Debug)]
pub(crate) struct Interest {
    filter: Filter,
    readers: AtomicUsize,
    found: Mutex<Found>,
    wake: Notify,
}

/// What they want of the commits that are in memory.
#[derive(Debug)]
struct Found {
    /// It is all of what they want after this position.
    since: u64,
    events: VecDeque<Arc<Recorded>>,
    /// The commit that was looked at last.
    seen: u64,
    pace: Pace,
}

impl Interest {
    fn new(filter: Filter, since: u64) -> Self {
        let found = Found { since, events: VecDeque::new(), seen: since, pace: Pace::default() };
        Self { filter, readers: AtomicUsize::new(0), found: Mutex::new(found), wake: Notify::new() }
    }

    /// Ends when they are woken. It counts from this call on, not from when it is first polled, so that nothing is missed by who
    /// looks in between.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.wake.notified()
    }

    /// What is wanted after a position, from memory, where all commits up to `shown` have been looked at. None when something older
    /// may be wanted.
    pub(crate) fn after(&self, after: u64, shown: u64, limit: usize) -> Option<Page> {
        let found = self.found();
        if after < found.since {
            return None;
        }
        let start = found.events.partition_point(|event| event.position <= after);
        let mut bytes = 0;
        let fits = |event: &&Arc<Recorded>| {
            let fits = bytes < MAX_BYTES;
            bytes += event.weight();
            fits
        };
        let events: Vec<_> = found.events.range(start..).take(limit).take_while(fits).cloned().collect();
        let last = events.last().map_or(after, |event| event.position);
        let all = start + events.len() == found.events.len();
        Some(Page { events, through: if all { last.max(shown) } else { last } })
    }

    fn add(&self, event: &Arc<Recorded>, commit: u64) -> bool {
        let mut found = self.found();
        found.events.push_back(event.clone());
        std::mem::replace(&mut found.seen, commit) != commit
    }

    /// Events up to here are in memory no more.
    fn forget(&self, through: u64) {
        let mut found = self.found();
        while let Some(event) = found.events.pop_front_if(|event| event.position <= through) {
            found.since = event.position;
        }
        // What a burst took is given back.
        let (length, capacity) = (found.events.len(), found.events.capacity());
        if capacity > 64 && length < capacity / 4 {
            found.events.shrink_to(capacity / 2);
        }
    }

    /// Whatever they want up to here has to be read.
    fn forget_all(&self, through: u64) {
        let mut found = self.found();
        found.events = VecDeque::new();
        found.since = through;
    }

    /// Wakes the readers: at once, unless they are many and were woken a moment ago.
    pub(crate) fn wake(self: &Arc<Self>) {
        let readers = self.readers.load(Ordering::Relaxed);
        let turn = self.found().pace.turn(readers, Instant::now());
        match turn {
            Turn::Now => self.wake.notify_waiters(),
            Turn::At(due) => {
                let this = self.clone();
                tokio::spawn(async move {
                    sleep_until(due).await;
                    this.found().pace.over(Instant::now());
                    this.wake.notify_waiters();
                });
            }
            Turn::Coming => {}
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // A panic inside is a bug; every change is complete before the next call that could fail.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All interests, to be found by what an event says of itself.
#[derive(Debug, Default)]
pub(crate) struct Interests {
    all: HashMap<Filter, Arc<Interest>>,
    by_scope: HashMap<Uuid, Vec<Arc<Interest>>>,
    by_stream: HashMap<StreamId, Vec<Arc<Interest>>>,
    /// Those that name neither.
    others: Vec<Arc<Interest>>,
}

impl Interests {
    /// One more reader with this filter; where it is the first, everything up to `shown` has to be read by itself.
    pub(crate) fn join(&mut self, filter: &Filter, shown: u64) -> Arc<Interest> {
        if let Some(known) = self.all.get(filter) {
            known.readers.fetch_add(1, Ordering::Relaxed);
            return known.clone();
        }
        let interest = Arc::new(Interest::new(filter.clone(), shown));
        interest.readers.store(1, Ordering::Relaxed);
        self.all.insert(filter.clone(), interest.clone());
        match (&filter.stream, &filter.scopes) {
            (Some(stream), _) => self.by_stream.entry(stream.clone()).or_default().push(interest.clone()),
            (None, Some(scopes)) => {
                for scope in scopes {
                    let readers = self.by_scope.entry(*scope).or_default();
                    // A filter may name a scope twice.
                    if !readers.last().is_some_and(|last| Arc::ptr_eq(last, &interest)) {
                        readers.push(interest.clone());
                    }
                }
            }
            (None, None) => self.others.push(interest.clone()),
        }
        interest
    }

    /// A reader has gone; with the last one goes the interest.
    pub(crate) fn leave(&mut self, interest: &Arc<Interest>) {
        if interest.readers.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        let filter = &interest.filter;
        self.all.remove(filter);
        let remove = |readers: &mut Vec<Arc<Interest>>| readers.retain(|other| !Arc::ptr_eq(other, interest));
        match (&filter.stream, &filter.scopes) {
            (Some(stream), _) => {
                if let Some(readers) = self.by_stream.get_mut(stream) {
                    remove(readers);
                    if readers.is_empty() {
                        self.by_stream.remove(stream);
                    }
                }
            }
            (None, Some(scopes)) => {
                for scope in scopes {
                    if let Some(readers) = self.by_scope.get_mut(scope) {
                        remove(readers);
                        if readers.is_empty() {
                            self.by_scope.remove(scope);
                        }
                    }
                }
            }
            (None, None) => remove(&mut self.others),
        }
    }

    /// Looks at a commit. Gives those who want something of it.
    pub(crate) fn show(&self, events: &[Arc<Recorded>]) -> Vec<Arc<Interest>> {
        let mut concerned = Vec::new();
        let Some(commit) = events.last().map(|event| event.position) else { return concerned };
        for event in events {
            for interest in self.candidates(event) {
                if interest.filter.matches(event) && interest.add(event, commit) {
                    concerned.push(interest.clone());
                }
            }
        }
        concerned
    }

    /// A commit leaves the memory.
    pub(crate) fn forget(&self, commit: &Commit) {
        for event in &commit.events {
            self.candidates(event).for_each(|interest| interest.forget(event.position));
        }
    }

    /// There are events up to here that nobody has looked at. Gives everybody.
    pub(crate) fn forget_all(&self, through: u64) -> Vec<Arc<Interest>> {
        self.all.values().inspect(|interest| interest.forget_all(through)).cloned().collect()
    }

    fn candidates(&self, event: &Recorded) -> impl Iterator<Item = &Arc<Interest>> {
        let scope = event.scope.and_then(|scope| self.by_scope.get(&scope)).into_iter().flatten();
        // Few look at a stream, and its name takes longer to hash.
        let stream = (!self.by_stream.is_empty()).then(|| self.by_stream.get(&event.stream)).flatten().into_iter().flatten();
        scope.chain(stream).chain(&self.others)
    }
}
