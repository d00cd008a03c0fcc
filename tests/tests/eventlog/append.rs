//! What an append does and refuses.

use crate::fixture::*;
use docket_eventlog::{Append, AppendError, Blob, Expected, MAX_EVENTS, MAX_PAYLOAD, NewEvent};
use uuid::Uuid;

on_both! {
    gives_positions_and_sequences
    holds_to_what_is_expected
    judges_each_request_alone
    chains_requests_of_one_stream
    is_dense_under_many_producers
    keeps_payloads_exactly
    refuses_what_no_database_takes
    keeps_blobs
    is_closed_after_closing
}

async fn gives_positions_and_sequences(fixture: Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.head().await, Ok(0));
    let (a, b) = (chat("a"), chat("b"));
    assert_eq!(log.append(append(&a, "1")).await, Ok(new(1, 1)));
    let three = Append { events: vec![event("2"), event("3"), event("4")], ..append(&b, "") };
    assert_eq!(log.append(three).await, Ok(new(4, 3)));
    assert_eq!(log.append(append(&a, "5")).await, Ok(new(5, 2)));
    assert_eq!(log.head().await, Ok(5));
    let payloads: Vec<_> = assert_sound(&log).await.iter().map(|event| event.payload.clone()).collect();
    assert_eq!(payloads, ["1", "2", "3", "4", "5"]);
    let stats = log.stats();
    assert_eq!((stats.events, stats.appends, stats.batches, stats.head, stats.queued), (5, 3, 3, 5, 0));
}

async fn holds_to_what_is_expected(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = chat("a");
    let conflict = |expected, actual| Err(AppendError::Conflict { stream: chat("a"), expected, actual });
    let expect = async |expected| log.append(expecting(expected, append(&stream, "{}"))).await;
    assert_eq!(expect(Expected::Exact(1)).await, conflict(Expected::Exact(1), 0));
    assert_eq!(expect(Expected::NoStream).await, Ok(new(1, 1)));
    assert_eq!(expect(Expected::NoStream).await, conflict(Expected::NoStream, 1));
    assert_eq!(expect(Expected::Exact(1)).await, Ok(new(2, 2)));
    assert_eq!(expect(Expected::Exact(1)).await, conflict(Expected::Exact(1), 2));
    assert_eq!(expect(Expected::Exact(3)).await, conflict(Expected::Exact(3), 2));
    assert_eq!(expect(Expected::Any).await, Ok(new(3, 3)));
    assert_eq!(log.stats().conflicts, 4);
    assert_eq!(assert_sound(&log).await.len(), 3);
}

/// Everything is sent before anything is answered, so it meets in the same batches.
async fn judges_each_request_alone(fixture: Fixture) {
    let log = fixture.open().await;
    let mut tasks = Vec::new();
    for number in 0..200u64 {
        let log = log.clone();
        let expected = if number % 3 == 0 { Expected::Exact(7) } else { Expected::NoStream };
        let request = expecting(expected, append(&chat(number), number.to_string()));
        tasks.push(tokio::spawn(async move { log.append(request).await.is_ok() }));
    }
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), number % 3 != 0, "{number}");
    }
    assert_eq!(assert_sound(&log).await.len(), 133);
    assert!(log.stats().batches < 200, "they were not written one by one");
}

/// A chain of exact expectations, and appends that expect nothing, sent without waiting for answers.
async fn chains_requests_of_one_stream(fixture: Fixture) {
    let log = fixture.open().await;
    let chained = chat("chained");
    let chain = (0..100u64).map(|n| log.append(expecting(Expected::after(n), append(&chained, n.to_string()))));
    for (number, appended) in (1..).zip(futures(chain).await) {
        assert_eq!(appended.unwrap().last_sequence, number);
    }
    let piped = chat("piped");
    let pipe = (0..100u64).map(|n| log.append(append(&piped, n.to_string())));
    for (number, appended) in (1..).zip(futures(pipe).await) {
        assert_eq!(appended.unwrap().last_sequence, number);
    }
    assert!(log.stats().batches < 100);
    assert_sound(&log).await;
}

/// Polls all of them at once, in their order, so that they are queued in it; without the pauses that tokio makes to be fair.
async fn futures<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    tokio::task::unconstrained(futures_util::future::join_all(futures)).await
}

async fn is_dense_under_many_producers(fixture: Fixture) {
    let log = fixture.open().await;
    let producers: Vec<_> = (0..32u64)
        .map(|producer| {
            let log = log.clone();
            tokio::spawn(async move {
                for number in 0..25u64 {
                    // Half of them share streams.
                    let stream = chat(if producer % 2 == 0 { producer } else { 1 });
                    let events = (0..=number % 3).map(|_| event(format!("{{\"by\":{producer}}}"))).collect();
                    log.append(Append { events, ..append(&stream, "") }).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let events = assert_sound(&log).await;
    assert_eq!(events.len(), 32 * (9 + 2 * 8 + 3 * 8));
}

async fn keeps_payloads_exactly(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = chat("ключ 🗝 \"'\\%_");
    let big = format!("\"{}\"", "x".repeat(MAX_PAYLOAD - 2));
    let payloads =
        ["{}", "null", "\"\"", " { \"b\" : 1,\t\"a\" : 1, \"a\": 2.50e+0 }\n", "\"\\u0000 \\ud800 ⚖️ 日本\"", "1e999", &big];
    for payload in payloads {
        let event =
            NewEvent { event_type: "chat.ünï".into(), event_version: "2.0-β".into(), payload: payload.to_owned().into() };
        log.append(Append { events: vec![event], ..append(&stream, "") }).await.unwrap();
    }
    log.close().await;

    let log = fixture.open().await;
    let events = assert_sound(&log).await;
    assert!(events.iter().map(|event| &event.payload).eq(payloads.iter()));
    assert!(
        events
            .iter()
            .all(|event| event.stream == stream && &*event.event_type == "chat.ünï" && &*event.event_version == "2.0-β")
    );
    assert_eq!(events[0].metadata().unwrap(), docket_domain::Metadata::system());
}

async fn refuses_what_no_database_takes(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = chat("a");
    for payload in [&b"\xff"[..], b"", b"{", b"\"\0\"", b"{} {}", b"\xef\xbb\xbf{}", b"nul"] {
        let event = NewEvent { payload: payload.to_vec().into(), ..event("") };
        let refused = log.append(Append { events: vec![event], ..append(&stream, "") }).await.unwrap_err();
        assert_eq!(refused.code(), "log_invalid", "{payload:?}");
    }
    for stream in [chat(""), chat("a\0b")] {
        assert_eq!(log.append(append(&stream, "{}")).await.unwrap_err().code(), "log_invalid");
    }
    assert_eq!(log.append(append(&chat("x".repeat(256)), "{}")).await.unwrap_err().code(), "log_too_large");
    let none = Append { events: Vec::new(), ..append(&stream, "") };
    assert_eq!(log.append(none).await.unwrap_err().code(), "log_invalid");
    let many = Append { events: vec![event("{}"); MAX_EVENTS + 1], ..append(&stream, "") };
    assert_eq!(log.append(many).await.unwrap_err().code(), "log_too_large");
    let big = format!("\"{}\"", "x".repeat(MAX_PAYLOAD));
    let refused = log.append(append(&stream, big)).await;
    assert_eq!(refused, Err(AppendError::TooLarge { what: "payload", size: MAX_PAYLOAD + 2, limit: MAX_PAYLOAD }));
    assert_eq!(log.head().await, Ok(0));
    // Deeper than a parser that recurses would go. What the database makes of it is its affair; the neighbours live.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let both = [append(&chat("deep"), deep), append(&chat("flat"), "[]")].map(|request| log.append(request));
    let [_, flat] = <[_; 2]>::try_from(futures(both.into_iter()).await).unwrap();
    assert!(flat.is_ok());
    assert_sound(&log).await;
}

async fn keeps_blobs(fixture: Fixture) {
    let log = fixture.open().await;
    let (text, noise) = (Blob::new("long ".repeat(10_000)), Blob::new(Vec::from(*Uuid::now_v7().as_bytes())));
    let blobs = vec![text.clone(), noise.clone(), Blob::new("")];
    log.append(Append { blobs: blobs.clone(), ..append(&chat("a"), "{}") }).await.unwrap();
    // The same content again is no mistake.
    log.append(Append { blobs, ..append(&chat("b"), "{}") }).await.unwrap();
    let unwritten = Blob::new("of a refused append");
    let refused = expecting(Expected::Exact(9), Append { blobs: vec![unwritten.clone()], ..append(&chat("b"), "{}") });
    assert!(log.append(refused).await.is_err());

    assert_eq!(log.blob(&text.sha256()).await.unwrap().unwrap(), "long ".repeat(10_000));
    assert_eq!(log.blob(&noise.sha256()).await.unwrap().unwrap().len(), 16);
    assert_eq!(log.blob(&Blob::new("").sha256()).await.unwrap().unwrap(), "");
    for absent in [&*unwritten.sha256(), "", "zz", "00"] {
        assert_eq!(log.blob(absent).await, Ok(None));
    }
}

async fn is_closed_after_closing(fixture: Fixture) {
    let log = fixture.open().await;
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move { log.append(append(&chat(number), "{}")).await })
        })
        .collect();
    log.close().await;
    log.close().await;
    let mut written = 0;
    for append in waiting {
        match append.await.unwrap() {
            Ok(_) => written += 1,
            Err(error) => assert_eq!(error, AppendError::Closed),
        }
    }
    assert_eq!(log.append(append(&chat("a"), "{}")).await, Err(AppendError::Closed));
    drop(log);
    assert_eq!(assert_sound(&fixture.open().await).await.len(), written);
}
