//! Reading rows.

use crate::fixture::*;
use docket_eventlog::{Append, Filter, Log, NewEvent, Recorded};
use std::sync::Arc;
use uuid::Uuid;

on_all! {
    pages_through_a_stream
    pages_through_the_log
    filters
    remembers_bookmarks
}

async fn pages_through_a_stream(fixture: Fixture) {
    let log = fixture.open().await;
    for number in 0..25 {
        log.append(append(&fixture.chat(number % 2), number.to_string())).await.unwrap();
    }
    let stream = fixture.chat(0);
    let (mut after, mut sequences) = (0, Vec::new());
    loop {
        let page = log.read_stream(&stream, after, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        sequences.extend(page.iter().map(|event| event.sequence));
    }
    assert!(sequences.into_iter().eq(1..=13));
    assert!(log.read_stream(&fixture.chat("none"), 0, 10).await.unwrap().is_empty());
}

async fn pages_through_the_log(fixture: Fixture) {
    // Once from memory, once from rows.
    let mut log = fixture.open().await;
    let events = (0..20).map(|n| event(n.to_string())).collect();
    log.append(Append { events, ..append(&fixture.chat("a"), "") }).await.unwrap();
    log.append(append(&fixture.chat("b"), "20")).await.unwrap();
    let all = positions(&fixture.assert_sound(&log).await);
    assert_eq!(all.len(), 21);
    for _ in 0..2 {
        for limit in [0, 1, 4, 21, 100] {
            let (mut after, mut found) = (fixture.start, Vec::new());
            loop {
                let page = log.read_all(after, &Filter::all(), limit).await.unwrap();
                assert!(page.events.len() <= limit.max(1));
                if page.through == after {
                    break;
                }
                found.extend(page.events.iter().filter(|event| fixture.is_mine(event)).map(|event| event.position));
                after = page.through;
            }
            assert_eq!(found, all, "{limit}");
        }
        let beyond = i64::MAX.unsigned_abs();
        let page = log.read_all(beyond, &Filter::all(), 10).await.unwrap();
        assert_eq!((page.events.len(), page.through), (0, beyond));
        log.close().await;
        log = fixture.open().await;
    }
}

async fn filters(fixture: Fixture) {
    let mut log = fixture.open().await;
    let scopes = [Some(Uuid::now_v7()), Some(Uuid::now_v7()), None];
    for number in 0..60usize {
        let stream = fixture.stream(["chat", "model_call"][number % 2], number % 4);
        let event_type = ["chat.a", "chat.b", "chat.c", "chat.d", "chat.e"][number % 5].into();
        let events = vec![NewEvent { event_type, ..event("{}") }];
        log.append(Append { events, scope: scopes[number % 3], ..append(&stream, "") }).await.unwrap();
    }
    let all = fixture.everything(&log).await;
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
            assert_eq!(read(&fixture, &log, all.last().unwrap().position, filter, 7).await, expected, "{filter:?}");
        }
        // Again from rows.
        log.close().await;
        log = fixture.open().await;
    }
}

async fn read(fixture: &Fixture, log: &Log, through: u64, filter: &Filter, limit: usize) -> Vec<Arc<Recorded>> {
    let (mut after, mut events) = (fixture.start, Vec::new());
    while after < through {
        let page = log.read_all(after, filter, limit).await.unwrap();
        assert!(page.through > after);
        assert!(
            page.events.len() <= limit && page.events.iter().all(|event| (after + 1..=page.through).contains(&event.position))
        );
        after = page.through;
        events.extend(page.events);
    }
    events.retain(|event| fixture.is_mine(event));
    events
}

async fn remembers_bookmarks(fixture: Fixture) {
    let log = fixture.open().await;
    let [view, other] = ["view", "other"].map(|name| format!("{name} {}", Uuid::now_v7()));
    assert_eq!(log.load_bookmark(&view).await, Ok(None));
    log.save_bookmark(&view, 7, b"state".to_vec()).await.unwrap();
    log.save_bookmark(&view, 3, Vec::new()).await.unwrap();
    for size in [100_000, 3_000_000] {
        log.save_bookmark(&other, u64::from(u32::MAX), vec![0; size]).await.unwrap();
    }
    log.close().await;
    let log = fixture.open().await;
    let bookmark = log.load_bookmark(&view).await.unwrap().unwrap();
    assert_eq!((bookmark.position, bookmark.state), (3, Vec::new()));
    assert_eq!(log.load_bookmark(&other).await.unwrap().unwrap().state.len(), 3_000_000);
    assert!(fixture.assert_sound(&log).await.is_empty());
}
