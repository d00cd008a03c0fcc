//! A process that stands still in the middle of a transaction, with the lock that gives out positions.

use crate::fixture::*;
use docket_eventlog::{AppendError, DatabaseUrl};
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
