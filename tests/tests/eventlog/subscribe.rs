//! Catching up, then following.

use crate::fixture::*;
use docket_eventlog::{Append, Filter, Log, ReadError};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use uuid::Uuid;

on_both! {
    follows_without_a_seam
    every_reader_sees_everything_once
    follows_what_it_filters
    ends_when_the_log_closes
    a_dropped_wait_loses_nothing
}

async fn follows_without_a_seam(fixture: Fixture) {
    let log = fixture.open().await;
    let events = (0..2500).map(|n| event(n.to_string())).collect();
    log.append(Append { events, ..append(&chat("a"), "") }).await.unwrap();
    log.close().await;

    let log = fixture.open().await;
    let mut subscription = log.subscribe(0, Filter::all());
    let mut positions = Vec::new();
    while positions.len() < 2500 {
        let batch = subscription.next().await.unwrap();
        assert!(batch.events.len() <= 1000);
        positions.extend(batch.events.iter().map(|event| event.position));
    }
    for number in 2501..2510 {
        let waiting = tokio::spawn(async move {
            let batch = subscription.next().await;
            (subscription, batch)
        });
        log.append(append(&chat("b"), "{}")).await.unwrap();
        let (returned, batch) = waiting.await.unwrap();
        subscription = returned;
        positions.extend(batch.unwrap().events.iter().map(|event| event.position));
        assert_eq!(subscription.position(), number);
    }
    assert!(positions.into_iter().eq(1..=2509));
}

/// Many writers, and readers that leave and come back at some position of theirs all the time.
async fn every_reader_sees_everything_once(fixture: Fixture) {
    const WRITERS: u64 = 16;
    const APPENDS: u64 = 25;
    let log = fixture.open().await;
    let total = WRITERS * (1..=APPENDS).map(|number| 1 + number % 40).sum::<u64>();
    let readers: Vec<_> = (0..8)
        .map(|seed| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut random = SmallRng::seed_from_u64(seed);
                let mut seen = Vec::new();
                let mut subscription = log.subscribe(0, Filter::all());
                while (seen.len() as u64) < total {
                    let batch = subscription.next().await.unwrap();
                    seen.extend(batch.events.iter().map(|event| event.position));
                    assert_eq!(seen.last(), Some(&batch.through));
                    if random.random_ratio(1, 3) {
                        // Back to anywhere that it has been, far enough at times to need rows.
                        seen.truncate(random.random_range(0..=seen.len()));
                        subscription = log.subscribe(seen.len() as u64, Filter::all());
                    }
                }
                seen
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                for number in 1..=APPENDS {
                    let events = (0..=number % 40).map(|_| event("{}")).collect();
                    log.append(Append { events, ..append(&chat(writer), "") }).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        assert!(reader.await.unwrap().into_iter().eq(1..=total));
    }
    assert_sound(&log).await;
}

async fn follows_what_it_filters(fixture: Fixture) {
    let log = fixture.open().await;
    let scope = Uuid::now_v7();
    let mut subscription = log.subscribe(0, Filter::scope(scope));
    for number in 0..10 {
        let scope = (number % 2 == 0).then_some(scope);
        log.append(Append { scope, ..append(&chat(number), number.to_string()) }).await.unwrap();
    }
    let mut payloads = Vec::new();
    while subscription.position() < 10 {
        payloads.extend(subscription.next().await.unwrap().events.iter().map(|event| event.payload.clone()));
    }
    assert_eq!(payloads, ["0", "2", "4", "6", "8"]);
}

async fn ends_when_the_log_closes(fixture: Fixture) {
    let log = fixture.open().await;
    let wait = |log: &Log| {
        let mut subscription = log.subscribe(0, Filter::all());
        tokio::spawn(async move { subscription.next().await })
    };
    let waiting = [wait(&log), wait(&log)];
    log.close().await;
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Err(ReadError::Closed));
    }
    assert_eq!(log.subscribe(0, Filter::all()).next().await, Err(ReadError::Closed));
}

async fn a_dropped_wait_loses_nothing(fixture: Fixture) {
    let log = fixture.open().await;
    let mut subscription = log.subscribe(0, Filter::all());
    let mut positions = Vec::new();
    let mut random = SmallRng::seed_from_u64(1);
    let writing = tokio::spawn({
        let log = log.clone();
        async move {
            for _ in 0..60 {
                log.append(append(&chat("a"), "{}")).await.unwrap();
            }
        }
    });
    while positions.len() < 60 {
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
            batch = subscription.next() => positions.extend(batch.unwrap().events.iter().map(|event| event.position)),
            () = patience => tokio::task::yield_now().await,
        }
    }
    writing.await.unwrap();
    assert!(positions.into_iter().eq(1..=60));
}
