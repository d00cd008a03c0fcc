//! Opening, closing, opening again.

use crate::fixture::*;
use docket_eventlog::{DatabaseUrl, Durability, Expected, Log, OpenError, Options};
use uuid::Uuid;

on_both! {
    goes_on_where_it_was
    events_cannot_be_changed
    knows_its_own_worker
    a_dropped_log_lets_go
}

async fn goes_on_where_it_was(fixture: Fixture) {
    let mut recorded = Vec::new();
    for round in 0..4u64 {
        let durability = if round % 2 == 0 { Durability::Sync } else { Durability::Relaxed };
        let log = Log::open(&fixture.url(), Options { durability, ..Options::default() }).await.unwrap();
        assert_eq!(everything(&log).await, recorded);
        for number in 0..10 {
            let request = expecting(Expected::after(round), append(&chat(number), format!("{round}")));
            assert_eq!(log.append(request).await, Ok(new(round * 10 + number + 1, round + 1)));
        }
        recorded = assert_sound(&log).await;
        log.close().await;
    }
}

async fn events_cannot_be_changed(fixture: Fixture) {
    let log = fixture.open().await;
    log.append(append(&chat("a"), "{}")).await.unwrap();
    for change in ["UPDATE events SET payload = '[]'", "DELETE FROM events"] {
        let refused = fixture.sql(change).await.unwrap_err();
        assert!(refused.contains("never"), "{refused}");
    }
    if matches!(fixture, Fixture::Postgres(_)) {
        for change in ["UPDATE log_events SET payload = '[]'", "DELETE FROM log_events", "TRUNCATE log_events"] {
            assert!(fixture.sql(change).await.unwrap_err().contains("never"), "{change}");
        }
    }
    assert_eq!(assert_sound(&log).await[0].payload, "{}");
}

async fn knows_its_own_worker(fixture: Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.is_worker_alive(log.worker()).await, Ok(true));
    assert_eq!(log.is_worker_alive(Uuid::now_v7()).await, Ok(false));
    let before = log.worker();
    log.close().await;
    assert_eq!(log.is_worker_alive(before).await, Ok(false));
    let log = fixture.open().await;
    assert_ne!(log.worker(), before);
    assert_eq!(log.is_worker_alive(before).await, Ok(false));
}

async fn a_dropped_log_lets_go(fixture: Fixture) {
    let log = fixture.open().await;
    let append = tokio::spawn({
        let log = log.clone();
        async move { log.append(append(&chat("a"), "{}")).await }
    });
    drop(log);
    assert_eq!(append.await.unwrap(), Ok(new(1, 1)));
    // The writer ends by itself, in a moment.
    let log = loop {
        match Log::open(&fixture.url(), Options::default()).await {
            Ok(log) => break log,
            Err(error) => assert_eq!(error.code(), "log_locked"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(assert_sound(&log).await.len(), 1);
}

#[tokio::test]
async fn sqlite_serves_one_at_a_time() {
    let fixture = Fixture::sqlite();
    let log = fixture.open().await;
    let DatabaseUrl::Sqlite(path) = fixture.url() else { unreachable!() };
    // Also under another name.
    let other = path.parent().unwrap().join("other.db");
    std::os::unix::fs::symlink(&path, &other).unwrap();
    for path in [path, other] {
        let refused = Log::open(&DatabaseUrl::Sqlite(path), Options::default()).await.unwrap_err();
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
        assert!(refused.to_string().contains("in use by another process"));
    }
    log.close().await;
    assert_eq!(fixture.open().await.head().await, Ok(0));
}

#[tokio::test]
async fn a_log_of_a_later_version_is_refused() {
    let fixture = Fixture::sqlite();
    fixture.open().await.close().await;
    let later = "INSERT INTO _sqlx_migrations VALUES (99, 'later', CURRENT_TIMESTAMP, TRUE, x'00', 1)";
    fixture.sql(later).await.unwrap();
    let refused = Log::open(&fixture.url(), Options::default()).await.unwrap_err();
    assert_eq!(refused.code(), "log_migration_failed");
}

#[tokio::test]
async fn an_absent_place_is_named() {
    let url: DatabaseUrl = "sqlite:/nowhere/at/all/log.db".parse().unwrap();
    let refused = Log::open(&url, Options::default()).await.unwrap_err();
    assert!(refused.to_string().contains("/nowhere/at/all"), "{refused}");
}
