//! Catching up, then following.

use crate::fixture::*;
use docket_eventlog::{Append, Filter, Log, ReadError};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use uuid::Uuid;

on_all! {
    follows_without_a_seam
    every_reader_sees_everything_once
    follows_what_it_filters
    ends_when_the_log_closes
    a_dropped_wait_loses_nothing
}

async fn follows_without_a_seam(fixture: Fixture) {
    let log = fixture.open().await;
    let events = (0..2500).map(|n| event(n.to_string())).collect();
    log.append(Append { events, ..append(&fixture.chat("a"), "") }).await.unwrap();
    log.close().await;

    let log = fixture.open().await;
    let mut subscription = log.subscribe(fixture.start, Filter::all());
    let mut seen = Vec::new();
    while seen.len() < 2500 {
        let batch = subscription.next().await.unwrap();
        assert!(batch.events.len() <= 1000);
        seen.extend(batch.events.into_iter().filter(|event| fixture.is_mine(event)));
    }
    for _ in 0..9 {
        let waiting = tokio::spawn(async move {
            let batch = subscription.next().await;
            (subscription, batch)
        });
        let position = log.append(append(&fixture.chat("b"), "{}")).await.unwrap().last_position;
        let (returned, batch) = waiting.await.unwrap();
        subscription = returned;
        seen.extend(batch.unwrap().events);
        // Others may have gone before.
        while subscription.position() < position {
            seen.extend(subscription.next().await.unwrap().events);
        }
    }
    seen.retain(|event| fixture.is_mine(event));
    assert_eq!(seen, fixture.assert_sound(&log).await);
    assert_eq!(seen.len(), 2509);
}

/// Many writers, and readers that leave and come back at some position of theirs all the time.
async fn every_reader_sees_everything_once(fixture: Fixture) {
    const WRITERS: u64 = 16;
    const APPENDS: u64 = 25;
    let log = fixture.open().await;
    let total = WRITERS * (1..=APPENDS).map(|number| 1 + number % 40).sum::<u64>();
    let tag = fixture.chat("").aggregate_id;
    let readers: Vec<_> = (0..8)
        .map(|seed| {
            let (log, start, tag) = (log.clone(), fixture.start, tag.clone());
            tokio::spawn(async move {
                let mut random = SmallRng::seed_from_u64(seed);
                let mut seen = Vec::new();
                let mut subscription = log.subscribe(start, Filter::all());
                while (seen.len() as u64) < total {
                    let batch = subscription.next().await.unwrap();
                    let mine = batch.events.iter().filter(|event| event.stream.aggregate_id.ends_with(&*tag));
                    seen.extend(mine.map(|event| event.position));
                    assert!(batch.events.last().is_none_or(|last| last.position <= batch.through));
                    if random.random_ratio(1, 3) {
                        // Back to anywhere that it has been, far enough at times to need rows.
                        seen.truncate(random.random_range(0..=seen.len()));
                        subscription = log.subscribe(seen.last().copied().unwrap_or(start), Filter::all());
                    }
                }
                seen
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (log, stream) = (log.clone(), fixture.chat(writer));
            tokio::spawn(async move {
                for number in 1..=APPENDS {
                    let events = (0..=number % 40).map(|_| event("{}")).collect();
                    log.append(Append { events, ..append(&stream, "") }).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let all = positions(&fixture.assert_sound(&log).await);
    assert_eq!(all.len() as u64, total);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), all);
    }
}

async fn follows_what_it_filters(fixture: Fixture) {
    let log = fixture.open().await;
    let scope = Uuid::now_v7();
    let mut subscription = log.subscribe(fixture.start, Filter::scope(scope));
    let mut last = 0;
    for number in 0..10 {
        let scope = (number % 2 == 0).then_some(scope);
        let request = Append { scope, ..append(&fixture.chat(number), number.to_string()) };
        last = log.append(request).await.unwrap().last_position;
    }
    let mut payloads = Vec::new();
    while subscription.position() < last {
        payloads.extend(subscription.next().await.unwrap().events.iter().map(|event| event.payload.clone()));
    }
    assert_eq!(payloads, ["0", "2", "4", "6", "8"]);
}

async fn ends_when_the_log_closes(fixture: Fixture) {
    let log = fixture.open().await;
    let wait = |log: &Log| {
        let mut subscription = log.subscribe(fixture.start, Filter::scope(Uuid::now_v7()));
        tokio::spawn(async move {
            while subscription.next().await?.through > 0 {}
            Ok::<_, ReadError>(())
        })
    };
    let waiting = [wait(&log), wait(&log)];
    log.close().await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Err(ReadError::Closed));
    }
    let end = log.stats().head;
    assert_eq!(log.subscribe(end, Filter::all()).next().await, Err(ReadError::Closed));
}

async fn a_dropped_wait_loses_nothing(fixture: Fixture) {
    let log = fixture.open().await;
    let mut subscription = log.subscribe(fixture.start, Filter::all());
    let mut seen = Vec::new();
    let mut random = SmallRng::seed_from_u64(1);
    let writing = tokio::spawn({
        let (log, stream) = (log.clone(), fixture.chat("a"));
        async move {
            for _ in 0..60 {
                log.append(append(&stream, "{}")).await.unwrap();
            }
        }
    });
    while seen.len() < 60 {
        // Polled a few times, then dropped.
        let mut polls = random.random_range(0..4);
        let patience = std::future::poll_fn(|context| {
            if polls == 0 {
                return std::task::Poll::Ready(());
            }
            polls -= 1;
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        tokio::select! {
            biased;
            batch = subscription.next() => seen.extend(batch.unwrap().events.into_iter().filter(|event| fixture.is_mine(event))),
            () = patience => tokio::task::yield_now().await,
        }
    }
    writing.await.unwrap();
    assert_eq!(seen, fixture.assert_sound(&log).await);
}
