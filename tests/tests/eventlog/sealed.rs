//! A log of which a part is sealed is the same log: for every reader, for the next append, and whatever breaks in between.

use crate::{calls::*, fixture::*};
use docket_eventlog::{AppendError, Expected, Filter, Log, ReadError, ReadOnly, Recorded, SealError, StreamId};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use uuid::Uuid;

on_both! {
    readers_beside_the_sealing_see_every_event
    an_append_to_a_sealed_stream_goes_on
    only_what_is_sealed_can_be_deleted
    a_segment_that_is_away_fails_only_those_who_need_it
    files_that_nobody_recorded_are_found
    a_small_rest_waits
    sealed_tokens_take_a_tenth_of_their_rows
}

/// What a log as a list gives.
pub fn listed(events: &[Arc<Recorded>], after: u64, filter: &Filter) -> Vec<Arc<Recorded>> {
    events.iter().filter(|event| event.position > after && filter.matches(event)).cloned().collect()
}

/// All that is read after a position, page by page.
pub async fn paged(log: &Log, after: u64, filter: &Filter, limit: usize) -> Vec<Arc<Recorded>> {
    let (head, mut after, mut events) = (log.head().await.unwrap(), after, Vec::new());
    while after < head {
        let page = log.read_all(after, filter, limit).await.unwrap();
        assert!(page.events.len() <= limit && page.through > after, "no way forward after {after}");
        after = page.through;
        events.extend(page.events);
    }
    events
}

pub async fn stream_paged(log: &Log, stream: &StreamId, after: u64, limit: usize) -> Vec<Arc<Recorded>> {
    let (mut after, mut events) = (after, Vec::new());
    loop {
        let page = log.read_stream(stream, after, limit).await.unwrap();
        let Some(last) = page.last() else { return events };
        assert!(page.len() <= limit);
        after = last.sequence;
        events.extend(page);
    }
}

/// Chats with calls that ended, one of which is under way.
async fn filled(log: &Log) {
    for number in 0..12 {
        noted(log, number % 3, number).await;
        finished(log, number, number % 3, 40 + 7 * number as usize).await;
    }
    log.append(streamed(&call(99u8), 1, (0..30).map(token).collect())).await.unwrap();
    noted(log, 1, 1000).await;
}

async fn readers_beside_the_sealing_see_every_event(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    for number in 0..40 {
        finished(&log, number, number % 3, 120).await;
    }
    let before = everything(&log).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers = (0..3u128).map(|scope| {
        let (before, done, url, store) = (before.clone(), done.clone(), world.fixture.url(), world.store());
        tokio::spawn(async move {
            let (log, mut rounds) = (ReadOnly::open(&url, Some(store)).await.unwrap(), 0);
            loop {
                // One round after the end, too.
                let last = done.load(Ordering::SeqCst);
                let (mut after, mut events) = (0, Vec::new());
                while after < before.len() as u64 {
                    let page = log.read(after, before.len() as u64, 300 + 100 * scope as usize).await.unwrap();
                    after = page.through;
                    events.extend(page.events);
                }
                assert_eq!(events, before);
                rounds += 1;
                if last {
                    log.close().await;
                    return rounds;
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let report = log.seal(NOW).await.unwrap();
    done.store(true, Ordering::SeqCst);
    assert_eq!((report.streams, report.events), (40, 40 * 120));
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(log.seal(NOW).await.unwrap(), docket_eventlog::SealReport::default(), "nothing is sealed twice");
    log.close().await;
}

async fn an_append_to_a_sealed_stream_goes_on(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    let stream = call(7u8);
    let command = Uuid::from_u128(5);
    let first = commanded(command, streamed(&stream, 1, vec![token(0), token(1)]));
    log.append(first.clone()).await.unwrap();
    log.append(streamed(&stream, 1, vec![end("failed")])).await.unwrap();
    assert_eq!(log.seal(NOW).await.unwrap().events, 2);
    let log = world.reopen(log).await;

    let more = |expected| expecting(expected, streamed(&stream, 1, vec![token(3)]));
    for expected in [Expected::NoStream, Expected::Exact(2), Expected::Exact(4)] {
        let refused = log.append(more(expected)).await.unwrap_err();
        assert_eq!(refused, AppendError::Conflict { stream: stream.clone(), expected, actual: 3 });
    }
    let repeat = log.append(first).await.unwrap();
    assert_eq!((repeat.repeated, repeat.last_sequence, repeat.last_position), (true, 2, 2));
    assert_eq!(log.find_command(&stream, command).await.unwrap(), Some(repeat));
    assert_eq!(log.append(more(Expected::Exact(3))).await.unwrap(), new(4, 4));
    let log = world.reopen(log).await;
    let read = log.read_stream(&stream, 0, 10).await.unwrap();
    assert_eq!(read.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(log.read_stream(&stream, 1, 2).await.unwrap(), read[1..3]);
    // It ends a second time: what is sealed stays as it is.
    log.append(streamed(&stream, 1, vec![end("interrupted")])).await.unwrap();
    assert_eq!(log.seal(NOW).await.unwrap().events, 0);
    assert_eq!(assert_sound(&log).await.len(), 5);
    log.close().await;
}

async fn only_what_is_sealed_can_be_deleted(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    finished(&log, 1, 1, 5).await;
    finished(&log, 2, 1, 5).await;
    let rows = match world.fixture {
        Fixture::Sqlite(_) => "events",
        Fixture::Postgres(_) => "log_events",
    };
    let delete = |position: u64| format!("DELETE FROM {rows} WHERE position = {position}");
    for position in 1..=12 {
        assert!(world.fixture.sql(&delete(position)).await.unwrap_err().contains("never deleted"), "{position}");
    }
    log.seal(NOW).await.unwrap();
    for position in [6, 12] {
        assert!(world.fixture.sql(&delete(position)).await.unwrap_err().contains("never deleted"), "{position}");
    }
    assert_eq!(assert_sound(&world.reopen(log).await).await.len(), 12);
}

async fn a_segment_that_is_away_fails_only_those_who_need_it(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    filled(&log).await;
    let before = everything(&log).await;
    log.seal(NOW).await.unwrap();
    let [file] = &world.files()[..] else { panic!("one segment") };
    let content = std::fs::read(file).unwrap();
    let mut damaged = content.clone();
    damaged[content.len() / 2] ^= 1;

    let mut log = log;
    for instead in [None, Some(&damaged[..]), Some(&content[..content.len() - 1])] {
        log = world.reopen(log).await;
        match instead {
            None => std::fs::remove_file(file).unwrap(),
            Some(other) => std::fs::write(file, other).unwrap(),
        }
        let refused = |read: Result<_, ReadError>| read.is_err_and(|error| matches!(error, ReadError::Segment { .. }));
        assert!(refused(log.read_all(0, &Filter::all(), 1000).await.map(|_| ())));
        assert!(refused(log.read_all(0, &Filter::scope(Uuid::from_u128(1)), 1000).await.map(|_| ())));
        assert!(refused(log.read_stream(&call(3u8), 0, 1000).await.map(|_| ())));
        // Whoever does not need it does not notice.
        assert_eq!(log.read_stream(&call(99u8), 0, 1000).await.unwrap().len(), 30);
        assert_eq!(log.read_stream(&chat(1), 0, 1000).await.unwrap().len(), 5);
        let chats = Filter::all().aggregates(["chat"]);
        assert_eq!(paged(&log, 0, &chats, 1000).await, listed(&before, 0, &chats));
        let report = ReadOnly::open(&world.fixture.url(), Some(world.store())).await.unwrap();
        let report = report.verify_segments(&|_, _| ()).await.unwrap();
        assert_eq!((report.segments, report.damaged.len()), (0, 1));
        std::fs::write(file, &content).unwrap();
        assert_eq!(everything(&log).await, before);
    }
    // A log without a place for segments says so, and goes on as far as it can.
    log.close().await;
    let log = world.fixture.open().await;
    let error = log.read_all(0, &Filter::all(), 1000).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("configured")), ("log_segment_unavailable", true));
    assert_eq!(log.seal(NOW).await.unwrap_err(), SealError::NoStore);
    log.append(append(&chat(1), "{}")).await.unwrap();
    log.close().await;
}

async fn files_that_nobody_recorded_are_found(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    filled(&log).await;
    log.seal(NOW).await.unwrap();
    std::fs::write(world.folder.path().join("left.segment"), "half").unwrap();
    std::fs::write(world.folder.path().join("notes.txt"), "of somebody else").unwrap();
    let reader = ReadOnly::open(&world.fixture.url(), Some(world.store())).await.unwrap();
    let report = reader.verify_segments(&|_, _| ()).await.unwrap();
    assert_eq!((report.segments, report.damaged.len(), &report.orphans[..]), (1, 0, &["left.segment".to_owned()][..]));
    assert_eq!(log.remove_orphans().await.unwrap(), ["left.segment"]);
    assert_eq!(world.files().len(), 2);
    assert!(reader.verify_segments(&|_, _| ()).await.unwrap().orphans.is_empty());
    log.close().await;
}

async fn a_small_rest_waits(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    let limits = docket_eventlog::SealLimits { least_events: 100, ..NOW };
    finished(&log, 1, 1, 60).await;
    assert_eq!(log.seal(limits).await.unwrap().segments, 0);
    finished(&log, 2, 1, 60).await;
    assert_eq!(log.seal(limits).await.unwrap().events, 120);
    // Too young.
    finished(&log, 3, 1, 200).await;
    let old = docket_eventlog::SealLimits { older_than: std::time::Duration::from_secs(3600), ..limits };
    assert_eq!(log.seal(old).await.unwrap().segments, 0);
    log.close().await;
}

async fn sealed_tokens_take_a_tenth_of_their_rows(fixture: Fixture) {
    let world = World::new(fixture);
    let log = world.open().await;
    // Ten calls at a time, each token in an append of its own, as when a model streams faster than it is written.
    for tens in 0..6 {
        let calls = (0..10u128).map(|call| one_by_one(log.clone(), tens * 10 + call));
        futures_util::future::join_all(calls).await;
    }
    let before = occupied(&world.fixture).await;
    let report = log.seal(NOW).await.unwrap();
    let rows = before - occupied(&world.fixture).await;
    assert_eq!(report.events, 30_000);
    let [row, sealed] = [rows as f64, report.bytes as f64].map(|bytes| bytes / report.events as f64);
    eprintln!("a token takes {row:.0} bytes in rows and {sealed:.1} sealed");
    assert!(sealed * 10.0 <= row, "a token takes {row:.0} bytes in rows and {sealed:.1} sealed");
    log.close().await;
}

async fn one_by_one(log: Log, number: u128) {
    for index in 0..500 {
        log.append(streamed(&call(number), number % 5, vec![token(index + number as usize * 7919)])).await.unwrap();
    }
    log.append(streamed(&call(number), number % 5, vec![end("finished")])).await.unwrap();
}

/// Bytes of pages that are in use.
async fn occupied(fixture: &Fixture) -> i64 {
    match fixture.url() {
        docket_eventlog::DatabaseUrl::Sqlite(path) => {
            let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
            let (pages,): (i64,) = sqlx::query_as(
                "SELECT (p.page_count - f.freelist_count) * s.page_size \
                 FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            pool.close().await;
            pages
        }
        docket_eventlog::DatabaseUrl::Postgres(url) => {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            sqlx::query("VACUUM FULL log_events").execute(&pool).await.unwrap();
            let (bytes,): (i64,) =
                sqlx::query_as("SELECT pg_total_relation_size('log_events')").fetch_one(&pool).await.unwrap();
            pool.close().await;
            bytes
        }
        url @ docket_eventlog::DatabaseUrl::Kurrentdb(_) => panic!("nothing is sealed in {url:?}"),
    }
}
