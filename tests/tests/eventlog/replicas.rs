//! Several processes on one Postgres, and connections that break.

use crate::{
    counter::{Command, Counter, context},
    fixture::*,
};
use docket_domain::Metadata;
use docket_eventlog::{Aggregates, Append, AppendError, DatabaseUrl, Expected, Filter, Log};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Two logs on one database, as two processes have them: dense, in order, and both see all of it.
#[tokio::test(flavor = "multi_thread")]
async fn two_logs_share_a_database() {
    let fixture = Fixture::postgres();
    let logs = [fixture.open().await, fixture.open().await];
    const APPENDS: u64 = 20;
    let readers: Vec<_> = logs.iter().map(|log| tokio::spawn(collect(log.clone(), 2 * 4 * APPENDS))).collect();
    let writers: Vec<_> = (0..8u64)
        .map(|writer| {
            let log = logs[(writer % 2) as usize].clone();
            tokio::spawn(async move {
                let mut conflicts = 0;
                for number in 0..APPENDS {
                    // Every other stream is written by both.
                    let stream = chat(if writer < 4 { 0 } else { writer });
                    let payload = format!("\"{writer}/{number}\"");
                    loop {
                        let last = log.read_stream(&stream, 0, 10_000).await.unwrap().len() as u64;
                        match log.append(expecting(Expected::after(last), append(&stream, &payload))).await {
                            Ok(_) => break,
                            Err(AppendError::Conflict { .. }) => conflicts += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                conflicts
            })
        })
        .collect();
    let mut conflicts = 0;
    for writer in writers {
        conflicts += writer.await.unwrap();
    }
    assert!(conflicts > 0, "the shared stream was fought for");
    for reader in readers {
        assert!(reader.await.unwrap().into_iter().eq(1..=2 * 4 * APPENDS));
    }
    for log in &logs {
        assert_eq!(assert_sound(log).await.len() as u64, 2 * 4 * APPENDS);
    }
}

/// What another process has just appended is seen by a command here at once, without waiting for its notification.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_for_the_newest_state() {
    let fixture = Fixture::postgres();
    let (one, other) = (fixture.open().await, fixture.open().await);
    let (here, there) = (Aggregates::<Counter>::new(one), Aggregates::<Counter>::new(other));
    let (id, context) = (uuid::Uuid::now_v7(), context());
    let run =
        async |at: &Aggregates<Counter>, command| at.execute(id, None, Metadata::system(), &context, command, vec![]).await;
    for count in 1..20 {
        run(&there, Command::Count(1)).await.unwrap();
        assert_eq!(here.read(id, |counter, _| counter.count).await, Ok(2 * count - 1));
        run(&there, Command::Count(1)).await.unwrap();
        assert!(run(&here, Command::CountBelow(2 * count)).await.is_err());
    }
}

async fn collect(log: Log, count: u64) -> Vec<u64> {
    let (mut subscription, mut positions) = (log.subscribe(0, Filter::all()), Vec::new());
    while (positions.len() as u64) < count {
        // A read may fail where a test breaks connections; the subscription goes on where it was.
        if let Ok(batch) = subscription.next().await {
            positions.extend(batch.events.iter().map(|event| event.position));
        }
    }
    positions
}

#[tokio::test(flavor = "multi_thread")]
async fn sees_who_is_alive() {
    let fixture = Fixture::postgres();
    let (one, other) = (fixture.open().await, fixture.open().await);
    assert_eq!(one.is_worker_alive(other.worker()).await, Ok(true));
    assert_eq!(other.is_worker_alive(one.worker()).await, Ok(true));
    other.close().await;
    // The server notices that a connection was closed in a moment.
    while one.is_worker_alive(other.worker()).await.unwrap() {
        tokio::task::yield_now().await;
    }
    // A broken connection is made again.
    break_connections(&fixture, "docket listener").await;
    let watcher = fixture.open().await;
    while !watcher.is_worker_alive(one.worker()).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

async fn break_connections(fixture: &Fixture, name: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '{name}' AND datname = current_database()"
    );
    fixture.sql(&sql).await.unwrap();
}

/// All connections of a busy log are cut again and again. Every append is sent once; what was acknowledged is there once, and
/// nothing is there that was said to have failed.
#[tokio::test(flavor = "multi_thread")]
async fn broken_connections_lose_and_double_nothing() {
    let fixture = Arc::new(Fixture::postgres());
    let log = fixture.open().await;
    let done = Arc::new(AtomicBool::new(false));
    let breaking = tokio::spawn({
        let (log, fixture, done) = (log.clone(), fixture.clone(), done.clone());
        async move {
            let mut breaks = 0;
            while !done.load(Ordering::Relaxed) {
                // It must get on in between, else nothing is learned.
                let answered = || log.stats().appends + log.stats().failed;
                let before = answered();
                break_connections(&fixture, "docket %").await;
                breaks += 1;
                while answered() == before && !done.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                }
            }
            breaks
        }
    });
    let writers: Vec<_> = (0..16u64)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..30u64 {
                    let payload = format!("\"{writer}/{number}\"");
                    match log.append(append(&chat(writer % 5), &payload)).await {
                        Ok(appended) => acknowledged.push((appended.last_position, payload)),
                        Err(AppendError::Storage { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    done.store(true, Ordering::Relaxed);
    assert!(breaking.await.unwrap() > 3);
    acknowledged.sort();
    assert!(!acknowledged.is_empty());

    let fresh = fixture.open().await;
    let events = assert_sound(&fresh).await;
    let written: Vec<_> =
        events.iter().map(|event| (event.position, String::from_utf8(event.payload.to_vec()).unwrap())).collect();
    assert_eq!(written, acknowledged);
    // It has recovered, and its reader too.
    let last = written.len() as u64 + 1;
    while log.append(append(&chat("after"), "{}")).await.is_err() {}
    assert!(collect(log, last).await.into_iter().eq(1..=last));
}

/// A transaction that is being committed when the connection breaks: the batch waits for a lock that we hold, and is cut there.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_cut_while_it_waits_is_written_once() {
    let fixture = Fixture::postgres();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let log = fixture.open().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT docket_lock_head()").execute(&mut *holder).await.unwrap();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.append(append(&chat("a"), "{}")).await }
    });
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'docket writer' AND wait_event_type = 'Lock' AND datname = current_database()";
    let count = async || sqlx::query_as::<_, (i64,)>(blocked).fetch_one(&pool).await.unwrap().0;
    while count().await == 0 {
        tokio::task::yield_now().await;
    }
    break_connections(&fixture, "docket writer").await;
    // The second attempt waits as well.
    while count().await == 0 {
        tokio::task::yield_now().await;
    }
    holder.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(new(1, 1)));
    assert_eq!(assert_sound(&log).await.len(), 1);
}

/// A batch whose answer was lost is asked for again under its number, and an older one comes too late.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_written_once_under_its_number() {
    let fixture = Fixture::postgres();
    let log = fixture.open().await;
    log.append(append(&chat("a"), "{}")).await.unwrap();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let send = |batch: i64| {
        let sql = format!(
            "SELECT positions FROM docket_append('{}', {batch}, -1, 0, '{{chat}}', '{{a}}', '{{}}', '{{chat.noted}}', '{{1.0}}', ARRAY['{{}}'], \
             '{{-1}}', '{{1}}', '{{0}}', '{{-1}}', '{{-1}}', '{{1}}', '{{}}', '{{}}', '{{1}}', '{{-1}}', ARRAY['{{}}'], '', '', \
             '{{}}', '{{}}', '{{}}', '{{}}', '{{}}')",
            uuid::Uuid::nil()
        );
        let pool = pool.clone();
        async move { sqlx::query_as::<_, (Vec<i64>,)>(&sql).fetch_one(&pool).await.map(|row| row.0) }
    };
    assert_eq!(send(1).await.unwrap(), [2]);
    assert_eq!(send(1).await.unwrap(), [2]);
    assert_eq!(send(2).await.unwrap(), [3]);
    assert!(send(1).await.unwrap_err().to_string().contains("out of date"));
    assert_eq!(log.head().await, Ok(3));
    // Our own writer is not disturbed.
    assert_eq!(log.append(Append { events: vec![event("{}"); 2], ..append(&chat("a"), "") }).await, Ok(new(5, 5)));
}

/// The hashes that a writer brings along are taken only if the newest position is the one it thought, every request is written, and
/// its clock is right and not behind the log; else the server computes them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_writer_foresees_is_used_only_if_it_holds() {
    let fixture = Fixture::postgres();
    let log = fixture.open().await;
    log.append(append(&chat("a"), "{}")).await.unwrap();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let (now, hour) = ("docket_now()".to_owned(), 3_600_000_000_i64);
    let cases = [
        (1, now.clone(), -1, true),
        (1, now.clone(), -1, false),
        (3, now.clone(), 0, false),
        (3, format!("{now} + {hour}"), -1, false),
        (4, format!("{now} - {hour}"), -1, false),
        (5, "(SELECT recorded_at FROM log_events WHERE position = 5)".to_owned(), -1, true),
        (6, "(SELECT recorded_at - 1 FROM log_events WHERE position = 6)".to_owned(), -1, false),
    ];
    for (batch, (base, at, expected, used)) in (1..).zip(cases) {
        let sql = format!(
            "SELECT a.base, a.foreseen \
             FROM docket_append('{}', {batch}, {base}, {at}, '{{chat}}', '{{a}}', '{{}}', '{{chat.noted}}', '{{1.0}}', ARRAY['{{}}'], \
             '{{-1}}', '{{1}}', '{{0}}', '{{-1}}', '{{{expected}}}', '{{1}}', '{{}}', '{{}}', '{{1}}', '{{-1}}', ARRAY['{{}}'], \
             decode(repeat('00', 96), 'hex'), decode(repeat('07', 32), 'hex'), '{{}}', '{{}}', '{{}}', '{{}}', '{{}}') a",
            uuid::Uuid::nil()
        );
        let (before, foreseen): (i64, bool) = sqlx::query_as(&sql).fetch_one(&pool).await.unwrap();
        assert_eq!(foreseen, used, "batch {batch}");
        let written: Option<Vec<u8>> = sqlx::query_scalar("SELECT leaf_hash FROM log_events WHERE position = $1")
            .bind(before + 1)
            .fetch_optional(&pool)
            .await
            .unwrap();
        match (written, expected) {
            (None, 0) => {}
            (Some(leaf), _) => assert_eq!(leaf == [7; 32], used, "batch {batch}"),
            (None, _) => panic!("batch {batch} was not written"),
        }
    }
    let events = everything(&log).await;
    assert_eq!(events.len(), 7);
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
    // Our own writer notices that somebody else has written.
    assert_eq!(log.append(expecting(Expected::Exact(7), append(&chat("a"), "{}"))).await, Ok(new(8, 8)));
    assert_eq!(everything(&log).await[7].leaf_hash, everything(&log).await[7].computed_leaf_hash());
}
