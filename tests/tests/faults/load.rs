//! A log under load while something breaks: producers that keep account of what they were told, and readers that stay.

use docket_eventlog::{Append, AppendError, Filter, Log, NewEvent, ReadError, Recorded};
use docket_tests::{
    fixture::{append, assert_sound, chat, commanded},
    sse::DEADLINE,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use uuid::Uuid;

/// What a producer was told of its appends.
#[derive(Debug, Default)]
struct Account {
    /// The last position of each that was acknowledged, in order.
    acknowledged: Vec<(u64, Vec<String>)>,
    /// What was said not to be written.
    refused: Vec<String>,
    /// What may or may not be there.
    uncertain: Vec<String>,
}

type Seen = Vec<(u64, [u8; 32])>;

#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Vec<Arc<AtomicUsize>>,
    producers: Vec<JoinHandle<Account>>,
    end: watch::Sender<Option<u64>>,
    readers: Vec<JoinHandle<Seen>>,
}

/// What was compared in the end.
#[derive(Debug, Default)]
pub struct Compared {
    pub events: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub uncertain: usize,
}

impl Load {
    /// So many producers and two readers at each log.
    pub fn start(logs: &[Log], producers: u64) -> Self {
        let (stop, end) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(None));
        let acknowledged: Vec<_> = logs.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let mut load = Self { stop, acknowledged, producers: Vec::new(), end, readers: Vec::new() };
        for (at, log) in logs.iter().enumerate() {
            for number in 0..producers {
                let producer = at as u64 * producers + number;
                load.producers.push(tokio::spawn(produce(
                    log.clone(),
                    producer,
                    load.stop.clone(),
                    load.acknowledged[at].clone(),
                )));
            }
            for _ in 0..2 {
                load.readers.push(tokio::spawn(read(log.clone(), load.end.subscribe())));
            }
        }
        load
    }

    /// Waits until so many more appends are acknowledged at each of the logs.
    pub async fn gets_on(&self, by: usize) {
        let now = || self.acknowledged.iter().map(|count| count.load(Ordering::SeqCst));
        let before: Vec<usize> = now().collect();
        let wait = async {
            while now().zip(&before).any(|(now, before)| now < before + by) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, wait).await.expect("the appends get on by themselves");
    }

    /// Ends the load and compares: what was acknowledged is there, at its position and once; what was said not to be written is
    /// not; nothing else is; each producer's appends are in its order; and each reader saw all of it.
    pub async fn compare(self, fresh: &Log) -> Compared {
        self.stop.store(true, Ordering::SeqCst);
        let mut compared = Compared::default();
        let mut accounts = Vec::new();
        for producer in self.producers {
            accounts.push(timeout(DEADLINE, producer).await.expect("a producer ends in time").unwrap());
        }
        let events = assert_sound(fresh).await;
        let mut left: HashMap<&[u8], u64> = events.iter().map(|event| (&event.payload[..], event.position)).collect();
        assert_eq!(left.len(), events.len(), "something is there twice");
        for account in &accounts {
            let mut last = 0;
            for (position, payloads) in &account.acknowledged {
                for (back, payload) in payloads.iter().rev().enumerate() {
                    assert_eq!(left.remove(payload.as_bytes()), Some(position - back as u64), "{payload} was acknowledged");
                }
                assert!(last < *position, "a producer's appends are not in its order");
                last = *position;
                compared.acknowledged += 1;
            }
            for payload in &account.uncertain {
                left.remove(payload.as_bytes());
                compared.uncertain += 1;
            }
            for payload in &account.refused {
                assert_eq!(left.get(payload.as_bytes()), None, "{payload} was said not to be written");
                compared.refused += 1;
            }
        }
        assert!(left.is_empty(), "nobody sent {left:?}");
        self.end.send_replace(Some(events.len() as u64));
        let wanted: Seen = events.iter().map(|event| (event.position, event.leaf_hash)).collect();
        for reader in self.readers {
            let seen = timeout(DEADLINE, reader).await.expect("a reader gets to the end in time").unwrap();
            assert!(seen == wanted, "a reader saw {} events, and there are {}", seen.len(), wanted.len());
            compared.events += seen.len();
        }
        compared
    }
}

/// Every other producer sends an append again until it is acknowledged, under its command; the others send each once.
async fn produce(log: Log, producer: u64, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Account {
    let mut account = Account::default();
    for number in 0u64.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let payloads: Vec<String> = (0..=number % 4).map(|at| format!("\"{producer}/{number}/{at}\"")).collect();
        let event = |payload: &String| NewEvent { payload: payload.clone().into(), ..docket_tests::fixture::event("") };
        let mut request = Append { events: payloads.iter().map(event).collect(), ..append(&chat(producer % 5), "") };
        let repeats = producer.is_multiple_of(2);
        if repeats {
            request = commanded(Uuid::from_u128(u128::from(producer) << 64 | u128::from(number)), request);
        }
        loop {
            match log.append(request.clone()).await {
                Ok(appended) => {
                    account.acknowledged.push((appended.last_position, payloads));
                    count.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                Err(AppendError::Storage { .. } | AppendError::Uncertain { .. }) if repeats => {}
                Err(AppendError::Storage { .. }) => {
                    account.refused.extend(payloads);
                    break;
                }
                Err(AppendError::Uncertain { .. }) => {
                    account.uncertain.extend(payloads);
                    break;
                }
                Err(error) => panic!("{error}"),
            }
            // A log that answers at once that it cannot is not asked all the time.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    account
}

async fn read(log: Log, mut end: watch::Receiver<Option<u64>>) -> Seen {
    let (mut subscription, mut seen) = (log.subscribe(0, Filter::all()), Seen::new());
    loop {
        let known = *end.borrow_and_update();
        if known.is_some_and(|known| seen.len() as u64 >= known) {
            return seen;
        }
        tokio::select! {
            batch = subscription.next() => match batch {
                Ok(batch) => seen.extend(batch.events.iter().map(|event: &Arc<Recorded>| (event.position, event.leaf_hash))),
                Err(ReadError::Storage { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            },
            _ = end.changed() => {}
        }
    }
}
