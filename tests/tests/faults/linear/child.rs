//! One of the processes.

use super::{
    COMMANDS, NUMBER, PRODUCERS, REPORT, URL,
    report::{Operation, Outcome, Report, STRIDE, Seen, fold, payload},
    share, total,
};
use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, AppendError, DatabaseUrl, Expected, Filter, Log, NewEvent, Options, StreamId};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// The largest append: the mean is half of it.
const LARGEST: u64 = 200;
/// Streams that all producers write.
const SHARED: u64 = 8;
/// Whose the commands are that every process sends.
pub const EVERYBODY: u64 = 1_000;

/// What a process runs. Without a log it is none, and nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let (url, number) = (url.parse::<DatabaseUrl>().unwrap(), variable(NUMBER).parse::<u64>().unwrap());
    let log = Log::open(&url, Options::default()).await.unwrap();
    let mut tasks = Vec::new();
    for producer in number * PRODUCERS as u64..(number + 1) * PRODUCERS as u64 {
        tasks.push(tokio::spawn(produce(log.clone(), producer)));
    }
    tasks.push(tokio::spawn(command(log.clone())));
    let reader = tokio::spawn(read(log.clone(), url, number));
    let mut report = Report::default();
    for task in tasks {
        report.operations.extend(task.await.unwrap());
    }
    report.readers.push(reader.await.unwrap());
    log.close().await;
    report.write(std::path::Path::new(&variable(REPORT)));
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Sends an append and notes what became of it.
async fn send(log: &Log, append: Append, producer: u64, number: u64) -> Operation {
    let expected = match append.expected {
        Expected::Any => None,
        Expected::NoStream => Some(0),
        Expected::Exact(sequence) => Some(sequence),
    };
    let (stream, events, began) = (append.stream.aggregate_id.to_string(), append.events.len() as u64, now());
    let outcome = match log.append(append).await {
        Ok(done) if done.repeated => Outcome::Repeated { position: done.last_position, sequence: done.last_sequence },
        Ok(done) => Outcome::Written { position: done.last_position, sequence: done.last_sequence },
        Err(AppendError::Conflict { actual, .. }) => Outcome::Conflict { actual },
        Err(error) => panic!("{error}"),
    };
    Operation { producer, number, stream, expected, events, began, ended: now(), outcome }
}

fn append(stream: &str, expected: Expected, events: u64, producer: u64, number: u64) -> Append {
    let event = |at| NewEvent {
        event_type: "chat.noted".into(),
        event_version: "1.0".into(),
        payload: payload(producer, number, at).into(),
    };
    let events = (0..events).map(event).collect();
    let (stream, metadata) = (StreamId::new("chat", stream), Metadata::system());
    Append { stream, scope: None, expected, events, blobs: Vec::new(), metadata }
}

/// Appends to a stream of its own, several at a time, and to streams that all fight for.
async fn produce(log: Log, producer: u64) -> Vec<Operation> {
    let mut random = SmallRng::seed_from_u64(producer);
    let (mut operations, mut number, mut left, mut own) = (Vec::<Operation>::new(), 0, share(), 0);
    while left > 0 {
        let events = random.random_range(1..=LARGEST.min(left));
        number += 1;
        if random.random_bool(0.5) {
            // Nobody else writes there, so this never is a conflict. The second half does not wait for the first.
            let first = events.div_ceil(2);
            let halves = [(number, own, first), (number + 1, own + first, events - first)];
            let stream = format!("own-{producer}");
            let sent = halves.into_iter().filter(|half| half.2 > 0).map(|(number, after, events)| {
                send(&log, append(&stream, Expected::after(after), events, producer, number), producer, number)
            });
            operations.extend(join_all(sent).await);
            (own, number, left) = (own + events, number + 1, left - events);
            continue;
        }
        let stream = format!("shared-{}", random.random_range(0..SHARED));
        let mut expected = match random.random_range(0..3) {
            0 => Expected::Any,
            // What it knows of the stream, which may be old.
            _ => operations.iter().rev().find(|operation| operation.stream == stream).map_or(Expected::NoStream, known),
        };
        let command = Uuid::from_u128(u128::from(producer) << 64 | u128::from(number));
        for _ in 0..if random.random_bool(0.2) { 2 } else { 1 } {
            let written = loop {
                let mut append = append(&stream, expected, events, producer, number);
                append.metadata = append.metadata.commanded(CommandId(command));
                operations.push(send(&log, append, producer, number).await);
                match &operations[operations.len() - 1].outcome {
                    // The second time nobody shall win.
                    Outcome::Conflict { actual } if random.random_bool(0.8) => expected = Expected::after(*actual),
                    Outcome::Conflict { .. } => expected = Expected::Any,
                    written => break matches!(written, Outcome::Written { .. }),
                }
            };
            left -= if written { events } else { 0 };
        }
    }
    operations
}

fn known(operation: &Operation) -> Expected {
    let (Outcome::Written { sequence, .. } | Outcome::Repeated { sequence, .. } | Outcome::Conflict { actual: sequence }) =
        operation.outcome;
    Expected::after(sequence)
}

/// What every process asks for.
async fn command(log: Log) -> Vec<Operation> {
    let mut operations = Vec::new();
    for number in 0..COMMANDS {
        let mut append = append("commands", Expected::Any, 1, EVERYBODY, number);
        append.metadata = append.metadata.commanded(CommandId(Uuid::from_u128(u128::from(number))));
        operations.push(send(&log, append, EVERYBODY, number).await);
    }
    operations
}

/// Reads the whole log, and leaves and comes back every few batches: mostly by a subscription, now and then by connections of
/// its own.
async fn read(log: Log, url: DatabaseUrl, seed: u64) -> Seen {
    let (mut random, mut seen) = (SmallRng::seed_from_u64(seed), Seen::default());
    let (mut position, mut digest, mut own) = (0, 0, None::<Log>);
    while position < total() {
        let log = own.as_ref().unwrap_or(&log);
        let began = now();
        let head = log.head().await.unwrap();
        seen.heads.push((began, now(), head));
        let mut subscription = log.subscribe(position, Filter::all());
        for _ in 0..random.random_range(1..8) {
            let batch = subscription.next().await.unwrap();
            for event in &batch.events {
                position += 1;
                assert_eq!(event.position, position, "a reader sees every position in order");
                digest = fold(digest, &event.leaf_hash);
                if position % STRIDE == 0 || position == total() {
                    seen.digests.push(digest);
                    assert_eq!(event.leaf_hash, event.computed_leaf_hash());
                }
            }
            assert_eq!(batch.through, position);
            if position == total() {
                break;
            }
        }
        seen.reconnections += 1;
        if random.random_bool(0.05) {
            if let Some(own) = own.take() {
                own.close().await;
            }
            own = Some(Log::open(&url, Options::default()).await.unwrap());
        }
    }
    seen
}
