//! A connection to KurrentDB that breaks, and a server that is shared with other programs. On the double, which can be told to.

use crate::fixture::*;
use docket_eventlog::{Append, AppendError, Blob, Filter, Log, MAX_EVENTS, ReadError};
use docket_tests::kurrentdb::KurrentDb;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use uuid::Uuid;

async fn double() -> (Fixture, Log) {
    let fixture = Fixture::double().await.unwrap();
    let log = fixture.open().await;
    (fixture, log)
}

fn server(fixture: &Fixture) -> &KurrentDb {
    let Place::Double(server) = &fixture.place else { unreachable!() };
    server
}

/// Waits for a condition, and lets others work.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Appends until it is known to be done, under one command.
async fn insist(log: &Log, request: Append) -> u64 {
    loop {
        match log.append(request.clone()).await {
            Ok(appended) => return appended.last_position,
            Err(AppendError::Storage { .. } | AppendError::Uncertain { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_repeated_by_cuts() {
    const WRITERS: u64 = 6;
    const APPENDS: u64 = 40;
    const CUTS: usize = 12;
    let (fixture, log) = double().await;
    let total = (WRITERS * APPENDS) as usize;
    let reader = tokio::spawn({
        let log = log.clone();
        async move {
            let (mut subscription, mut seen) = (log.subscribe(0, Filter::all()), Vec::new());
            while seen.len() < total {
                match subscription.next().await {
                    Ok(batch) => seen.extend(batch.events),
                    Err(ReadError::Storage { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
            seen
        }
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            // Two share a stream.
            let (log, stream) = (log.clone(), fixture.chat(writer.max(1)));
            tokio::spawn(async move {
                for number in 0..APPENDS {
                    let blobs = vec![Blob::new(format!("{writer}/{number}"))];
                    let request = Append { blobs, ..append(&stream, format!("\"{writer}/{number}\"")) };
                    insist(&log, commanded(Uuid::now_v7(), request)).await;
                }
            })
        })
        .collect();
    let mut cuts = 0;
    let server = server(&fixture);
    for part in 1..=CUTS {
        // In the midst of work: at least as many as one round of appends apart.
        until(|| {
            server.streams("chat-").len() > 1
                && (log.stats().events + log.stats().repeated) as usize >= part * total / (CUTS + 2)
        })
        .await;
        server.cut();
        cuts += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(cuts, CUTS);
    let seen = reader.await.unwrap();
    let all = loop {
        if let Ok(head) = log.head().await
            && log.stats().head == head
        {
            break fixture.assert_sound(&log).await;
        }
    };
    assert_eq!(all.len(), total, "{cuts} cuts");
    assert_eq!(seen, all);
    for writer in 0..WRITERS {
        let prefix = format!("\"{writer}/");
        let own = all.iter().filter(|event| event.payload.starts_with(prefix.as_bytes())).map(|event| event.payload.clone());
        assert!(own.eq((0..APPENDS).map(|number| format!("\"{writer}/{number}\""))));
    }
}

/// The server has written it, and the answer never comes.
#[tokio::test(flavor = "multi_thread")]
async fn finds_out_what_became_of_an_append() {
    let (fixture, log) = double().await;
    let stream = fixture.chat("a");
    log.append(append(&stream, "1")).await.unwrap();
    for (number, command) in [(2, None), (3, Some(Uuid::now_v7()))] {
        let server = server(&fixture);
        let before = server.events_in(&stream.to_string());
        server.mute();
        let request = append(&stream, number.to_string());
        let request = command.map_or(request.clone(), |command| commanded(command, request));
        let appending = tokio::spawn({
            let log = log.clone();
            async move { log.append(request).await }
        });
        until(|| server.events_in(&stream.to_string()) > before).await;
        server.cut();
        let appended = appending.await.unwrap().unwrap();
        assert_eq!((appended.last_sequence, appended.repeated), (number, false));
    }
    let payloads: Vec<_> = fixture.assert_sound(&log).await.iter().map(|event| event.payload.clone()).collect();
    assert_eq!(payloads, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_when_the_server_is_back() {
    let (fixture, log) = double().await;
    let (stream, server) = (fixture.chat("a"), server(&fixture));
    log.append(append(&stream, "1")).await.unwrap();
    server.vanish();
    assert_eq!(log.head().await.unwrap_err().code(), "log_unavailable");
    assert_eq!(Log::open(&fixture.url(), docket_eventlog::Options::default()).await.unwrap_err().code(), "log_unavailable");
    // To a stream that is not known nothing can be sent, and that is said at once.
    let refused = log.append(append(&fixture.chat("unknown"), "{}")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Storage { .. }), "{refused}");
    let done = Arc::new(AtomicBool::new(false));
    let appending = tokio::spawn({
        let (log, done, request) = (log.clone(), done.clone(), commanded(Uuid::now_v7(), append(&stream, "2")));
        async move {
            let position = insist(&log, request).await;
            done.store(true, Ordering::Release);
            position
        }
    });
    assert!(log.head().await.is_err() && !done.load(Ordering::Acquire));
    server.appear();
    let position = appending.await.unwrap();
    let mut subscription = log.subscribe(0, Filter::all());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(subscription.next().await.unwrap().events);
    }
    assert_eq!(seen[1].position, position);
    assert_eq!(fixture.assert_sound(&log).await, seen);
}

/// The server's own events and those of other programs are in between everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_others_are_passed_over() {
    let fixture = Fixture::double().await.unwrap();
    let others = |server: &KurrentDb| {
        for (stream, event_type) in
            [("$stats-127.0.0.1:2113", "$statsCollected"), ("order-1", "placed"), ("plain", "x"), ("~a-b", "y")]
        {
            server.append_foreign(stream, event_type, "{}");
        }
    };
    others(server(&fixture));
    let log = fixture.open().await;
    assert_eq!(log.head().await, Ok(0));
    let mut subscription = log.subscribe(0, Filter::all());
    let mut seen = Vec::new();
    for number in 0..5 {
        log.append(append(&fixture.chat(number), number.to_string())).await.unwrap();
        others(server(&fixture));
        while seen.len() <= number {
            seen.extend(subscription.next().await.unwrap().events);
        }
    }
    log.close().await;
    let log = fixture.open().await;
    assert_eq!(fixture.assert_sound(&log).await, seen);
    // In a stream of ours they are no event that could be passed over.
    server(&fixture).append_foreign("chat-0", "x", "{}");
    assert_eq!(log.read_stream(&fixture.chat(0), 0, 10).await.unwrap_err().code(), "log_unavailable");
    assert!(log.append(append(&fixture.chat(1), "{}")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_take_fails_alone() {
    let (fixture, log) = double().await;
    let requests = [
        append(&fixture.chat("a"), "{}"),
        Append { events: vec![event("{}"); MAX_EVENTS], ..append(&fixture.chat("b"), "") },
        append(&fixture.stream("two-parts", "c"), "{}"),
        append(&fixture.stream("$system", "d"), "{}"),
        append(&fixture.stream("~own", "e"), "{}"),
        append(&fixture.chat("f"), "{}"),
    ];
    let answers = futures_util::future::join_all(requests.map(|request| log.append(request))).await;
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().map_or_else(AppendError::code, |_| "written")).collect();
    assert_eq!(codes, ["written", "log_too_large", "log_invalid", "log_invalid", "log_invalid", "written"]);
    assert_eq!(fixture.assert_sound(&log).await.len(), 2);
}
