//! Random histories of several handles against a log that is a list.

use crate::{fixture::*, reference::*};
use docket_eventlog::{AppendError, Log, Options, ReadError, Subscription};
use futures_util::future::join_all;
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

/// A test that waits in vain fails instead of hanging.
const DEADLINE: Duration = Duration::from_secs(60);
const READERS: usize = 3;

/// Each step is done at one of the handles, or by one of the readers.
#[derive(Clone, Debug)]
enum Step {
    /// Sent together, in this order.
    Append(usize, Vec<Request>),
    ReadStream {
        at: usize,
        stream: u8,
        after: u64,
        limit: usize,
    },
    ReadAll {
        at: usize,
        after: u64,
        limit: usize,
        choice: Choice,
    },
    Blob {
        at: usize,
        blob: u8,
    },
    Bookmark {
        at: usize,
        name: u8,
        position: u64,
    },
    /// The reader takes what is there.
    Follow {
        reader: usize,
    },
    /// The reader goes away and comes back at another handle.
    Reconnect {
        reader: usize,
        at: usize,
    },
    /// The handle is closed and opened.
    Reopen {
        at: usize,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    let at = || 0..8usize;
    prop_oneof![
        6 => (at(), vec(requests(), 1..2)).prop_map(|(at, requests)| Step::Append(at, requests)),
        2 => (at(), vec(requests(), 2..9)).prop_map(|(at, requests)| Step::Append(at, requests)),
        2 => (at(), 0..STREAMS, 0..40u64, 1..30usize)
            .prop_map(|(at, stream, after, limit)| Step::ReadStream { at, stream, after, limit }),
        2 => (at(), 0..90u64, 1..50usize, choices()).prop_map(|(at, after, limit, choice)| Step::ReadAll { at, after, limit, choice }),
        1 => (at(), 0..BLOBS).prop_map(|(at, blob)| Step::Blob { at, blob }),
        1 => (at(), 0..3u8, 0..90u64).prop_map(|(at, name, position)| Step::Bookmark { at, name, position }),
        4 => (0..READERS).prop_map(|reader| Step::Follow { reader }),
        3 => (0..READERS, at()).prop_map(|(reader, at)| Step::Reconnect { reader, at }),
        1 => at().prop_map(|at| Step::Reopen { at }),
    ]
}

/// A subscription that is there for the whole history, through all its reconnections.
struct Reader {
    at: usize,
    choice: Choice,
    subscription: Subscription,
    seen: usize,
}

struct Run {
    fixture: Fixture,
    logs: Vec<Log>,
    readers: Vec<Reader>,
    reference: Reference,
}

impl Run {
    async fn new(fixture: Fixture, handles: usize, choices: Vec<Choice>) -> Self {
        let mut logs = Vec::new();
        for _ in 0..handles {
            logs.push(open(&fixture).await);
        }
        let reader = |(number, choice): (usize, Choice)| {
            let at = number % handles;
            Reader { at, subscription: logs[at].subscribe(0, choice.filter()), choice, seen: 0 }
        };
        let readers = choices.into_iter().enumerate().map(reader).collect();
        Self { fixture, logs, readers, reference: Reference::default() }
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Append(at, requests) => self.append(at % self.logs.len(), &requests).await,
            Step::ReadStream { at, stream: number, after, limit } => {
                let page = self.log(at).read_stream(&stream(number), after, limit).await.unwrap();
                self.reference.check_stream(number, after, limit, &page)
            }
            Step::ReadAll { at, after, limit, choice } => {
                let page = self.log(at).read_all(after, &choice.filter(), limit).await.unwrap();
                prop_assert!(page.events.len() <= limit);
                let end = page.through == after.max(self.reference.events.len() as u64);
                prop_assert!(end || page.through > after, "no way forward");
                self.reference.check_page(&choice, after, page.through, &page.events)
            }
            Step::Blob { at, blob: number } => {
                let blob = blob(number);
                let found = self
                    .log(at)
                    .blob(&blob.sha256())
                    .await
                    .unwrap()
                    .map(|content| docket_eventlog::Blob::new(content).sha256());
                prop_assert_eq!(found, self.reference.blobs.contains(&number).then(|| blob.sha256()));
                Ok(())
            }
            Step::Bookmark { at, name, position } => {
                let key = name.to_string();
                let found = self.log(at).load_bookmark(&key).await.unwrap().map(|bookmark| (bookmark.position, bookmark.state));
                prop_assert_eq!(found.as_ref(), self.reference.bookmarks.get(&name));
                let state = vec![name; position as usize];
                self.log(at + 1).save_bookmark(&key, position, state.clone()).await.unwrap();
                self.reference.bookmarks.insert(name, (position, state));
                Ok(())
            }
            Step::Follow { reader } => self.follow(reader).await,
            Step::Reconnect { reader, at } => {
                let at = at % self.logs.len();
                let reader = &mut self.readers[reader];
                reader.subscription = self.logs[at].subscribe(reader.subscription.position(), reader.choice.filter());
                reader.at = at;
                Ok(())
            }
            Step::Reopen { at } => self.reopen(at % self.logs.len()).await,
        }
    }

    fn log(&self, at: usize) -> &Log {
        &self.logs[at % self.logs.len()]
    }

    async fn append(&mut self, at: usize, requests: &[Request]) -> Result<(), TestCaseError> {
        let first = self.reference.sent() + 1;
        let sent: Vec<_> = requests.iter().map(|request| self.reference.request(request)).collect();
        let outcomes = join_all(sent.into_iter().map(|append| self.logs[at].append(append))).await;
        for (number, (request, outcome)) in requests.iter().zip(outcomes).enumerate() {
            let outcome = outcome.map_err(|error| match error {
                AppendError::Conflict { actual, .. } => actual,
                error => panic!("{error}"),
            });
            prop_assert_eq!(outcome, self.reference.append(request, first + number));
        }
        Ok(())
    }

    /// Until the reader has everything that was acknowledged.
    async fn follow(&mut self, reader: usize) -> Result<(), TestCaseError> {
        while self.readers[reader].subscription.position() < self.reference.events.len() as u64 {
            let next = self.readers[reader].subscription.next();
            let batch = tokio::time::timeout(DEADLINE, next).await.expect("a batch in time").unwrap();
            self.take(reader, &batch)?;
        }
        Ok(())
    }

    fn take(&mut self, reader: usize, batch: &docket_eventlog::Batch) -> Result<(), TestCaseError> {
        let Reader { choice, seen, .. } = &mut self.readers[reader];
        // What a reader has seen so far is a matter of positions: where the last batch ended, this one begins.
        let after = std::mem::replace(seen, batch.through as usize) as u64;
        prop_assert!(batch.through > after);
        self.reference.check_page(choice, after, batch.through, &batch.events)
    }

    /// Its readers get nothing but what is there, then hear that it is closed, and come back.
    async fn reopen(&mut self, at: usize) -> Result<(), TestCaseError> {
        self.logs[at].close().await;
        for reader in 0..self.readers.len() {
            if self.readers[reader].at != at {
                continue;
            }
            loop {
                let next = self.readers[reader].subscription.next();
                match tokio::time::timeout(DEADLINE, next).await.expect("an end in time") {
                    Ok(batch) => self.take(reader, &batch)?,
                    Err(ReadError::Closed) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        self.logs[at] = open(&self.fixture).await;
        for reader in self.readers.iter_mut().filter(|reader| reader.at == at) {
            reader.subscription = self.logs[at].subscribe(reader.subscription.position(), reader.choice.filter());
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), TestCaseError> {
        for reader in 0..self.readers.len() {
            self.follow(reader).await?;
        }
        for log in &self.logs {
            prop_assert_eq!(assert_sound(log).await.len(), self.reference.events.len());
            log.close().await;
        }
        Ok(())
    }
}

/// Durability is not what is tested here.
async fn open(fixture: &Fixture) -> Log {
    let options = Options { durability: docket_eventlog::Durability::Relaxed, ..Options::default() };
    Log::open(&fixture.url(), options).await.unwrap()
}

/// Any history gives what the list gives, whichever handle is asked.
fn a_log_is_a_list(fixture: fn() -> Fixture, handles: usize, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let compared = std::cell::Cell::new(0);
    let history = (vec(choices(), READERS), vec(steps(), 1..80));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&history, |(choices, steps)| {
        runtime.block_on(async {
            let mut run = Run::new(fixture(), handles, choices).await;
            for step in steps {
                run.step(step).await?;
            }
            compared.set(compared.get() + run.reference.events.len());
            run.end().await
        })
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(compared.get() > 100 * cases as usize, "{} events", compared.get());
}

#[test]
fn a_log_is_a_list_on_sqlite() {
    a_log_is_a_list(Fixture::sqlite, 1, 48);
}

#[test]
fn a_log_is_a_list_on_postgres() {
    a_log_is_a_list(Fixture::postgres, 3, 12);
}
