//! Reading rows.

use crate::fixture::*;
use docket_eventlog::{Append, Filter, Log, NewEvent};
use uuid::Uuid;

on_both! {
    pages_through_a_stream
    pages_through_the_log
    filters
    remembers_bookmarks
}

async fn pages_through_a_stream(fixture: Fixture) {
    let log = fixture.open().await;
    for number in 0..25 {
        log.append(append(&chat(number % 2), number.to_string())).await.unwrap();
    }
    let stream = chat(0);
    let (mut after, mut sequences) = (0, Vec::new());
    loop {
        let page = log.read_stream(&stream, after, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        sequences.extend(page.iter().map(|event| event.sequence));
    }
    assert!(sequences.into_iter().eq(1..=13));
    assert!(log.read_stream(&chat("none"), 0, 10).await.unwrap().is_empty());
}

async fn pages_through_the_log(fixture: Fixture) {
    // Once from memory, once from rows.
    let mut log = fixture.open().await;
    let events = (0..20).map(|n| event(n.to_string())).collect();
    log.append(Append { events, ..append(&chat("a"), "") }).await.unwrap();
    log.append(append(&chat("b"), "20")).await.unwrap();
    for _ in 0..2 {
        for limit in [0, 1, 4, 21, 100] {
            let (mut after, mut positions) = (0, Vec::new());
            loop {
                let page = log.read_all(after, &Filter::all(), limit).await.unwrap();
                assert!(page.events.len() <= limit.max(1));
                if page.through == after {
                    break;
                }
                positions.extend(page.events.iter().map(|event| event.position));
                after = page.through;
            }
            assert!(positions.into_iter().eq(1..=21), "{limit}");
        }
        let beyond = log.read_all(99, &Filter::all(), 10).await.unwrap();
        assert_eq!((beyond.events.len(), beyond.through), (0, 99));
        log.close().await;
        log = fixture.open().await;
    }
}

async fn filters(fixture: Fixture) {
    let mut log = fixture.open().await;
    let scopes = [Some(Uuid::now_v7()), Some(Uuid::now_v7()), None];
    for number in 0..60usize {
        let stream = docket_eventlog::StreamId::new(["chat", "model_call"][number % 2], (number % 4).to_string());
        let event_type = ["chat.a", "chat.b", "chat.c", "chat.d", "chat.e"][number % 5].into();
        let events = vec![NewEvent { event_type, ..event("{}") }];
        log.append(Append { events, scope: scopes[number % 3], ..append(&stream, "") }).await.unwrap();
    }
    let all = everything(&log).await;
    let [Some(one), Some(other), None] = scopes else { unreachable!() };
    let choices = [
        (Filter::all(), 60),
        (Filter::scope(one), 20),
        (Filter::scopes([one, other]), 40),
        (Filter::scopes([]), 0),
        (Filter::scope(Uuid::now_v7()), 0),
        (Filter::all().aggregates(["chat"]), 30),
        (Filter::all().aggregates(["chat", "model_call"]).types(["chat.a", "chat.b"]), 24),
        (Filter::scope(one).aggregates(["model_call"]).types(["chat.a"]), 2),
        (Filter::all().types(["chat.none"]), 0),
    ];
    for _ in 0..2 {
        for (filter, count) in &choices {
            let expected: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
            assert_eq!(expected.len(), *count, "{filter:?}");
            assert_eq!(read(&log, filter, 7).await, expected, "{filter:?}");
        }
        // Again from rows.
        log.close().await;
        log = fixture.open().await;
    }
}

async fn read(log: &Log, filter: &Filter, limit: usize) -> Vec<std::sync::Arc<docket_eventlog::Recorded>> {
    let (mut after, mut events) = (0, Vec::new());
    while after < 60 {
        let page = log.read_all(after, filter, limit).await.unwrap();
        assert!(page.through > after && page.through <= 60);
        assert!(
            page.events.len() <= limit && page.events.iter().all(|event| (after + 1..=page.through).contains(&event.position))
        );
        after = page.through;
        events.extend(page.events);
    }
    events
}

async fn remembers_bookmarks(fixture: Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.load_bookmark("view").await, Ok(None));
    log.save_bookmark("view", 7, b"state".to_vec()).await.unwrap();
    log.save_bookmark("view", 3, Vec::new()).await.unwrap();
    log.save_bookmark("other", u64::from(u32::MAX), vec![0; 100_000]).await.unwrap();
    log.close().await;
    let log = fixture.open().await;
    let bookmark = log.load_bookmark("view").await.unwrap().unwrap();
    assert_eq!((bookmark.position, bookmark.state), (3, Vec::new()));
    assert_eq!(log.load_bookmark("other").await.unwrap().unwrap().state.len(), 100_000);
}
