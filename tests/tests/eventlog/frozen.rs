//! Somebody who stands still: a process as a whole, or in the middle of a transaction with the lock that gives out positions.

use crate::{
    fixture::*,
    killed::{run, said},
};
use docket_eventlog::{AppendError, DatabaseUrl, Log, Options};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// The batch of one process waits in its transaction for something that never comes. The other process is answered within the time
/// that a batch waits for a lock (10 s), and can write again when the server ends the frozen batch (after 20 s). Takes that long.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_batch_holds_up_the_others_for_a_bounded_time() {
    let fixture = Fixture::postgres();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let (one, other) = (fixture.open().await, fixture.open().await);
    one.append(append(&chat("before"), "1")).await.unwrap();
    let sql = "CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF new.payload = '\"freeze\"' THEN SET LOCAL lock_timeout = 0; PERFORM pg_advisory_xact_lock(1); END IF; RETURN new; END $$; \
               CREATE TRIGGER stand_still AFTER INSERT ON log_events FOR EACH ROW EXECUTE FUNCTION stand_still()";
    fixture.sql(sql).await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut holder = pool.acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut *holder).await.unwrap();
    let frozen = tokio::spawn({
        let one = one.clone();
        async move { one.append(append(&chat("frozen"), "\"freeze\"")).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name = 'docket writer' \
                   AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }

    let (began, mut refused) = (Instant::now(), 0);
    let written = loop {
        let sent = Instant::now();
        let appended = other.append(append(&chat("other"), refused.to_string())).await;
        assert!(sent.elapsed() < Duration::from_secs(15), "{:?}", sent.elapsed());
        match appended {
            Ok(appended) => break appended,
            Err(AppendError::Storage { reason }) => assert!(reason.contains("lock timeout"), "{reason}"),
            Err(error) => panic!("{error}"),
        }
        refused += 1;
        // Readers wait for nobody, and see nothing of it.
        assert_eq!(everything(&other).await.len(), 1);
    };
    assert!(refused >= 1 && began.elapsed() < Duration::from_secs(40), "{refused} refused in {:?}", began.elapsed());
    // What was said not to be written is not, and the position went to the next.
    let refusal = frozen.await.unwrap().unwrap_err();
    assert!(matches!(&refusal, AppendError::Storage { .. }), "{refusal}");
    assert_eq!(written, new(2, 1));
    assert_eq!(one.append(append(&chat("frozen"), "\"after\"")).await, Ok(new(3, 1)));
    assert_eq!(assert_sound(&other).await.len(), 3);
}

/// A batch is one statement, which the server ends by itself: a process that stops anywhere around it holds up nobody, and goes on as
/// if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_holds_up_nobody() {
    const ROUNDS: u64 = 20;
    let fixture = Fixture::postgres();
    let log = fixture.open().await;
    let (child, mut output) = run(&fixture.url().to_string());
    let pid = Pid::from_child(&child.0);
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        for _ in 0..7 {
            acknowledged.push(said(&mut output).expect("it goes on"));
        }
        kill_process(pid, Signal::STOP).unwrap();
        for number in 0..5 {
            log.append(append(&chat("ours"), format!("\"{round}/{number}\""))).await.unwrap();
        }
        kill_process(pid, Signal::CONT).unwrap();
    }
    drop(child);
    while let Some(line) = said(&mut output) {
        acknowledged.push(line);
    }
    // What it had sent when it was killed may still be written.
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let writers =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'docket writer'";
    while sqlx::query_scalar::<_, i64>(writers).fetch_one(&pool).await.unwrap() > 1 {}
    pool.close().await;
    let events = assert_sound(&log).await;
    assert_eq!(events.iter().filter(|event| event.stream == chat("ours")).count() as u64, ROUNDS * 5);
    for line in &acknowledged {
        let fields: Vec<_> = line.splitn(3, ' ').collect();
        if let ["event", position, payload] = fields[..] {
            assert_eq!(events[position.parse::<usize>().unwrap() - 1].payload, payload, "{position}");
        }
    }
}

/// A stock writer that goes away in the middle of its transaction is ended by whoever waits for it, before that one is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_idles_with_the_lock_is_ended() {
    let fixture = Fixture::postgres();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let (one, other) = (fixture.open().await, fixture.open().await);
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut idle = pool.begin().await.unwrap();
    let insert = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
                  VALUES ('chat', 'idle', 1, 'chat.noted', '1.0', '{}', '{}')";
    sqlx::query(insert).execute(&mut *idle).await.unwrap();
    // One of them waits for the lock, the other behind it.
    let waiting = futures_util::future::join(one.append(append(&chat("a"), "1")), other.append(append(&chat("b"), "1"))).await;
    let mut positions = [waiting.0.unwrap(), waiting.1.unwrap()].map(|appended| appended.last_position);
    positions.sort_unstable();
    assert_eq!(positions, [1, 2]);
    assert!(sqlx::query("SELECT 1").execute(&mut *idle).await.is_err());
    assert_eq!(assert_sound(&one).await.len(), 2);
}

/// Where the log's role may not end the session, the refusal says who it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_not_be_ended_is_named() {
    let fixture = Fixture::postgres();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let role = format!("plain_{}", uuid::Uuid::now_v7().simple());
    fixture.sql(&format!("CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}")).await.unwrap();
    let as_role = DatabaseUrl::Postgres(url.replace("//postgres@", &format!("//{role}@")));
    let log = Log::open(&as_role, Options::default()).await.unwrap();
    log.append(append(&chat("a"), "1")).await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut idle = pool.begin().await.unwrap();
    sqlx::query("SELECT docket_lock_head()").execute(&mut *idle).await.unwrap();
    let (pid,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()").fetch_one(&mut *idle).await.unwrap();
    let Err(AppendError::Storage { reason }) = log.append(append(&chat("a"), "2")).await else { panic!("it was written") };
    assert!(reason.contains("lock timeout") && reason.contains(&format!("session {pid} of role \"postgres\"")), "{reason}");
    idle.rollback().await.unwrap();
    assert_eq!(log.append(append(&chat("a"), "2")).await, Ok(new(2, 2)));
    assert_eq!(assert_sound(&log).await.len(), 2);
}
