//! Readers that are woken only by what they want: none is forgotten, whatever the interleaving, and on Postgres whoever writes.

use crate::fixture::*;
use docket_eventlog::{Append, Filter, Log, StreamId, Subscription};
use docket_tests::sse::DEADLINE;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::sync::Arc;
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

const SCOPES: u128 = 6;

on_both! {
    no_wake_is_lost_while_readers_come_and_go
    who_is_not_woken_is_past_what_was_not_wanted
    a_stream_can_be_followed_alone
}

fn scope(number: u128) -> Uuid {
    Uuid::from_u128(number + 1)
}

/// What a reader may want.
fn wish(random: &mut SmallRng) -> Filter {
    match random.random_range(0..5) {
        0 => Filter::all(),
        1 => Filter::scopes([scope(random.random_range(0..SCOPES)), scope(random.random_range(0..SCOPES))]),
        2 => Filter::stream(chat(random.random_range(0..SCOPES))),
        3 => Filter::all().types(["chat.rare"]),
        _ => Filter::scope(scope(random.random_range(0..SCOPES))),
    }
}

/// A few events of one stream, to the scope of the same number.
async fn write(log: &Log, random: &mut SmallRng) {
    let number = random.random_range(0..SCOPES);
    let mut events: Vec<_> = (0..random.random_range(1..4)).map(|_| event("{}")).collect();
    if random.random_ratio(1, 4) {
        events[0].event_type = "chat.rare".into();
    }
    let stream = chat(number);
    log.append(Append { scope: Some(scope(number)), events, ..append(&stream, "") }).await.unwrap();
}

/// What the reader should have seen of the whole log.
async fn wanted(log: &Log, filter: &Filter) -> Vec<u64> {
    everything(log).await.iter().filter(|event| filter.matches(event)).map(|event| event.position).collect()
}

/// In each round something is written, and then nothing until every reader has all of it: a lost wake is not made good by a later
/// one. Readers leave and come back all the time, some at an older position.
async fn no_wake_is_lost_while_readers_come_and_go(fixture: Fixture) {
    const READERS: u64 = 40;
    const ROUNDS: u64 = 60;
    let log = fixture.open().await;
    // How far the log is when a round is over.
    let (told, head) = watch::channel(0_u64);
    let mut readers = Vec::new();
    let (reached, mut counted) = tokio::sync::mpsc::unbounded_channel::<u64>();
    for seed in 0..READERS {
        let (log, mut head, reached) = (log.clone(), head.clone(), reached.clone());
        readers.push(tokio::spawn(async move {
            let mut random = SmallRng::seed_from_u64(seed);
            let filter = wish(&mut random);
            let (mut seen, mut subscription) = (Vec::new(), log.follow(0, filter.clone()));
            let mut round = 0;
            while round < ROUNDS {
                tokio::select! {
                    batch = subscription.next() => {
                        seen.extend(batch.unwrap().events.iter().map(|event| event.position));
                        if random.random_ratio(1, 4) {
                            seen.truncate(random.random_range(0..=seen.len()));
                            subscription = log.follow(seen.last().copied().unwrap_or(0), filter.clone());
                        }
                    }
                    _ = head.changed() => {}
                }
                let due = *head.borrow();
                if due > round {
                    // The position in the round's number is found by reading on until nothing is left up to it.
                    let through = log.head().await.unwrap();
                    while subscription.position() < through {
                        let batch = timeout(DEADLINE, subscription.next()).await.expect("a wake was lost").unwrap();
                        seen.extend(batch.events.iter().map(|event| event.position));
                    }
                    round = due;
                    reached.send(round).unwrap();
                }
            }
            (filter, seen)
        }));
    }
    let mut random = SmallRng::seed_from_u64(99);
    for round in 1..=ROUNDS {
        for _ in 0..random.random_range(1..4) {
            write(&log, &mut random).await;
        }
        told.send(round).unwrap();
        for _ in 0..READERS {
            assert_eq!(timeout(DEADLINE, counted.recv()).await.expect("a wake was lost"), Some(round));
        }
    }
    let mut compared = 0;
    for reader in readers {
        let (filter, seen) = reader.await.unwrap();
        assert_eq!(seen, wanted(&log, &filter).await, "{filter:?}");
        compared += seen.len();
    }
    assert!(compared > 1_000, "{compared} events were compared");
}

async fn who_is_not_woken_is_past_what_was_not_wanted(fixture: Fixture) {
    let log = fixture.open().await;
    let mut subscription = log.follow(0, Filter::scope(scope(0)));
    let send = async |number| {
        log.append(Append { scope: Some(scope(number)), ..append(&chat(number), "{}") }).await.unwrap().last_position
    };
    assert_eq!(send(0).await, 1);
    assert_eq!(subscription.position(), 0);
    assert_eq!(positions(&mut subscription).await, [1]);
    for position in 2..50 {
        assert_eq!(send(1).await, position);
        assert_eq!(subscription.position(), position);
    }
    send(0).await;
    assert!(subscription.position() < 50, "what is wanted is not passed over");
    assert_eq!(positions(&mut subscription).await, [50]);
}

async fn a_stream_can_be_followed_alone(fixture: Fixture) {
    let log = fixture.open().await;
    let (mine, other) = (chat("mine"), StreamId::new("model_call", "mine"));
    let mut subscription = log.follow(0, Filter::stream(mine.clone()));
    for stream in [&mine, &other, &mine] {
        log.append(append(stream, "{}")).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(positions(&mut subscription).await);
    }
    assert_eq!(seen, [1, 3]);
    log.close().await;
    let log = fixture.open().await;
    let page = log.read_all(0, &Filter::stream(mine.clone()).types(["chat.noted"]), 10).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 3]);
    assert!(page.events.iter().all(|event| event.stream == mine));
}

async fn positions(subscription: &mut Subscription) -> Vec<u64> {
    let batch = timeout(DEADLINE, subscription.next()).await.expect("a wake was lost").unwrap();
    batch.events.iter().map(|event| event.position).collect()
}

/// Two processes write in turn and at once; the readers of each get the events of both in order, and each event of the other is
/// fetched once for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_wrote_is_fetched_once_for_all_readers() {
    const READERS: usize = 200;
    const APPENDS: u64 = 300;
    let fixture = Fixture::postgres();
    let logs = [fixture.open().await, fixture.open().await];
    let mut readers = Vec::new();
    for log in &logs {
        for number in 0..READERS {
            // Half of them want every event, the others those of one chat.
            let of = (number % 2 == 1).then_some(u128::from(number % 8 >= 4));
            let mut subscription = log.follow(0, of.map_or_else(Filter::all, |of| Filter::scope(scope(of))));
            readers.push(tokio::spawn(async move {
                let mut seen = Vec::new();
                let due = if of.is_some() { APPENDS } else { 2 * APPENDS };
                while (seen.len() as u64) < due {
                    let batch = timeout(DEADLINE, subscription.next()).await.expect("a wake was lost").unwrap();
                    seen.extend(batch.events);
                }
                (of, seen)
            }));
        }
    }
    let writers = logs.clone().map(|log| {
        tokio::spawn(async move {
            for number in 0..APPENDS {
                let of = u128::from(number % 2 == 1);
                log.append(Append { scope: Some(scope(of)), ..append(&chat(of), "{}") }).await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let all = assert_sound(&logs[0]).await;
    assert_eq!(all.len() as u64, 2 * APPENDS);
    let mut compared = 0;
    for reader in readers {
        let (of, seen) = reader.await.unwrap();
        let wanted = all.iter().filter(|event| of.is_none_or(|of| event.scope == Some(scope(of))));
        assert!(seen.iter().eq(wanted), "a reader got something else than the log holds");
        compared += seen.len();
    }
    assert!(compared >= 2 * READERS * APPENDS as usize, "{compared}");
    for log in &logs {
        let fetched = log.stats().fetched;
        // Some of its own may come as rows before the writer has its answer.
        assert!((APPENDS..=2 * APPENDS).contains(&fetched), "{fetched} events were fetched for {READERS} readers");
    }
}

/// Another process writes more than the memory holds, while nobody here looks: the readers take the rows.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_memory_holds_is_read_as_rows() {
    const EVENTS: u64 = 40_000;
    let fixture = Fixture::postgres();
    let (here, there) = (fixture.open().await, fixture.open().await);
    let log = here.clone();
    let reading = tokio::spawn(async move {
        let (mut subscription, mut through) = (log.follow(0, Filter::all()), 0);
        while through < EVENTS + 1 {
            let batch = timeout(DEADLINE, subscription.next()).await.expect("a wake was lost").unwrap();
            for event in batch.events {
                through += 1;
                assert_eq!(event.position, through);
            }
        }
    });
    let there = Arc::new(there);
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let there = there.clone();
            tokio::spawn(async move {
                for _ in 0..EVENTS / 4 / 1_000 {
                    let events = (0..1_000).map(|_| event("{}")).collect();
                    there.append(Append { events, ..append(&chat(number), "") }).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    here.append(append(&chat("here"), "{}")).await.unwrap();
    reading.await.unwrap();
}
