//! What an append does and refuses.

use crate::fixture::*;
use docket_eventlog::{Append, AppendError, Expected, MAX_EVENTS, MAX_PAYLOAD, NewEvent};
use rand::{RngCore, SeedableRng, rngs::SmallRng};

on_all! {
    gives_positions_and_sequences
    holds_to_what_is_expected
    judges_each_request_alone
    chains_requests_of_one_stream
    is_sound_under_many_producers
    keeps_payloads_exactly
    keeps_large_appends_whole
    refuses_what_no_database_takes
    is_closed_after_closing
}

async fn gives_positions_and_sequences(fixture: Fixture) {
    let log = fixture.open().await;
    let (a, b) = (fixture.chat("a"), fixture.chat("b"));
    let three = Append { events: vec![event("2"), event("3"), event("4")], ..append(&b, "") };
    let mut last = fixture.start;
    for (request, sequence) in [(append(&a, "1"), 1), (three, 3), (append(&a, "5"), 2)] {
        let appended = log.append(request).await.unwrap();
        assert!(appended.last_position > last && !appended.repeated);
        assert_eq!(appended.last_sequence, sequence);
        last = appended.last_position;
    }
    let events = fixture.assert_sound(&log).await;
    assert_eq!(events.last().unwrap().position, last);
    assert!(events.iter().map(|event| &event.payload[..]).eq(["1", "2", "3", "4", "5"].map(str::as_bytes)));
    let stats = log.stats();
    assert_eq!((stats.events, stats.appends, stats.batches, stats.queued), (5, 3, 3, 0));
    assert!(stats.head >= last);
}

async fn holds_to_what_is_expected(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = fixture.chat("a");
    let expect = async |expected| {
        let appended = log.append(expecting(expected, append(&stream, "{}"))).await;
        appended.map(|appended| appended.last_sequence)
    };
    let conflict = |expected, actual| Err(AppendError::Conflict { stream: stream.clone(), expected, actual });
    assert_eq!(expect(Expected::Exact(1)).await, conflict(Expected::Exact(1), 0));
    assert_eq!(expect(Expected::NoStream).await, Ok(1));
    assert_eq!(expect(Expected::NoStream).await, conflict(Expected::NoStream, 1));
    assert_eq!(expect(Expected::Exact(1)).await, Ok(2));
    assert_eq!(expect(Expected::Exact(1)).await, conflict(Expected::Exact(1), 2));
    assert_eq!(expect(Expected::Exact(3)).await, conflict(Expected::Exact(3), 2));
    assert_eq!(expect(Expected::Any).await, Ok(3));
    assert_eq!(log.stats().conflicts, 4);
    assert_eq!(fixture.assert_sound(&log).await.len(), 3);
}

/// Everything is sent before anything is answered, so it meets in the same batches.
async fn judges_each_request_alone(fixture: Fixture) {
    let log = fixture.open().await;
    let mut tasks = Vec::new();
    for number in 0..200u64 {
        let log = log.clone();
        let expected = if number % 3 == 0 { Expected::Exact(7) } else { Expected::NoStream };
        let request = expecting(expected, append(&fixture.chat(number), number.to_string()));
        tasks.push(tokio::spawn(async move { log.append(request).await.is_ok() }));
    }
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), number % 3 != 0, "{number}");
    }
    assert_eq!(fixture.assert_sound(&log).await.len(), 133);
    assert!(log.stats().batches < 200, "they were not written one by one");
}

/// A chain of exact expectations, and appends that expect nothing, sent without waiting for answers.
async fn chains_requests_of_one_stream(fixture: Fixture) {
    let log = fixture.open().await;
    let chained = fixture.chat("chained");
    let chain = (0..100u64).map(|n| log.append(expecting(Expected::after(n), append(&chained, n.to_string()))));
    for (number, appended) in (1..).zip(futures(chain).await) {
        assert_eq!(appended.unwrap().last_sequence, number);
    }
    let piped = fixture.chat("piped");
    let pipe = (0..100u64).map(|n| log.append(append(&piped, n.to_string())));
    for (number, appended) in (1..).zip(futures(pipe).await) {
        assert_eq!(appended.unwrap().last_sequence, number);
    }
    assert!(log.stats().batches < 100);
    let payloads: Vec<_> = fixture.assert_sound(&log).await.iter().map(|event| event.payload.clone()).collect();
    assert!(payloads.into_iter().eq((0..100).chain(0..100).map(|n| n.to_string())));
}

/// Polls all of them at once, in their order, so that they are queued in it; without the pauses that tokio makes to be fair.
async fn futures<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    tokio::task::unconstrained(futures_util::future::join_all(futures)).await
}

async fn is_sound_under_many_producers(fixture: Fixture) {
    let log = fixture.open().await;
    let producers: Vec<_> = (0..32u64)
        .map(|producer| {
            // Half of them share streams.
            let (log, stream) = (log.clone(), fixture.chat(if producer % 2 == 0 { producer } else { 1 }));
            tokio::spawn(async move {
                for number in 0..25u64 {
                    let events = (0..=number % 3).map(|_| event(format!("{{\"by\":{producer}}}"))).collect();
                    log.append(Append { events, ..append(&stream, "") }).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    assert_eq!(fixture.assert_sound(&log).await.len(), 32 * (9 + 2 * 8 + 3 * 8));
}

async fn keeps_payloads_exactly(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = fixture.chat("ключ 🗝 \"'\\%_");
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
    let events = fixture.assert_sound(&log).await;
    assert!(events.iter().map(|event| &event.payload).eq(payloads.iter()));
    assert!(
        events
            .iter()
            .all(|event| event.stream == stream && &*event.event_type == "chat.ünï" && &*event.event_version == "2.0-β")
    );
    assert_eq!(events[0].metadata().unwrap(), docket_domain::Metadata::system());
}

/// What does not become smaller by packing, and many events at once: written all together, and each as it was.
async fn keeps_large_appends_whole(fixture: Fixture) {
    let log = fixture.open().await;
    let mut random = SmallRng::seed_from_u64(1);
    let mut noise = vec![0; 2 << 20];
    random.fill_bytes(&mut noise);
    let noise = format!("\"{}\"", hex::encode(noise));
    let large = vec![event("1"), event(&noise), event("3")];
    let many: Vec<_> = (0..2000).map(|number| event(format!("\"{number} {}\"", "y".repeat(700)))).collect();
    for events in [large.clone(), many.clone()] {
        let count = events.len() as u64;
        let appended = log.append(Append { events, ..append(&fixture.chat(count), "") }).await.unwrap();
        assert_eq!(appended.last_sequence, count);
    }
    log.close().await;
    let log = fixture.open().await;
    let events = fixture.assert_sound(&log).await;
    assert!(events.iter().map(|event| &event.payload).eq(large.iter().chain(&many).map(|event| &event.payload)));
    let page = log.read_stream(&fixture.chat(2000), 1000, 2).await.unwrap();
    assert!(page.iter().map(|event| &event.payload).eq(many[1000..1002].iter().map(|event| &event.payload)));
}

async fn refuses_what_no_database_takes(fixture: Fixture) {
    let log = fixture.open().await;
    let stream = fixture.chat("a");
    for payload in [&b"\xff"[..], b"", b"{", b"\"\0\"", b"{} {}", b"\xef\xbb\xbf{}", b"nul"] {
        let event = NewEvent { payload: payload.to_vec().into(), ..event("") };
        let refused = log.append(Append { events: vec![event], ..append(&stream, "") }).await.unwrap_err();
        assert_eq!(refused.code(), "log_invalid", "{payload:?}");
    }
    for stream in [docket_eventlog::StreamId::new("chat", ""), fixture.chat("a\0b")] {
        assert_eq!(log.append(append(&stream, "{}")).await.unwrap_err().code(), "log_invalid");
    }
    assert_eq!(log.append(append(&fixture.chat("x".repeat(256)), "{}")).await.unwrap_err().code(), "log_too_large");
    let none = Append { events: Vec::new(), ..append(&stream, "") };
    assert_eq!(log.append(none).await.unwrap_err().code(), "log_invalid");
    let many = Append { events: vec![event("{}"); MAX_EVENTS + 1], ..append(&stream, "") };
    assert_eq!(log.append(many).await.unwrap_err().code(), "log_too_large");
    let big = format!("\"{}\"", "x".repeat(MAX_PAYLOAD));
    let refused = log.append(append(&stream, big)).await;
    assert_eq!(refused, Err(AppendError::TooLarge { what: "payload", size: MAX_PAYLOAD + 2, limit: MAX_PAYLOAD }));
    assert!(fixture.everything(&log).await.is_empty());
    // Deeper than a parser that recurses would go. What the database makes of it is its affair; the neighbours live.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let both = [append(&fixture.chat("deep"), deep), append(&fixture.chat("flat"), "[]")].map(|request| log.append(request));
    let [_, flat] = <[_; 2]>::try_from(futures(both.into_iter()).await).unwrap();
    assert!(flat.is_ok());
    fixture.assert_sound(&log).await;
}

async fn is_closed_after_closing(fixture: Fixture) {
    let log = fixture.open().await;
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let (log, request) = (log.clone(), append(&fixture.chat(number), "{}"));
            tokio::spawn(async move { log.append(request).await })
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
    assert_eq!(log.append(append(&fixture.chat("a"), "{}")).await, Err(AppendError::Closed));
    drop(log);
    assert_eq!(fixture.assert_sound(&fixture.open().await).await.len(), written);
}
