//! Opening, closing, opening again.

use crate::fixture::*;
use docket_eventlog::Expected;
use uuid::Uuid;

on_all! {
    goes_on_where_it_was
    knows_its_own_worker
}

async fn goes_on_where_it_was(fixture: Fixture) {
    let mut recorded = Vec::new();
    for round in 0..4u64 {
        let log = fixture.open().await;
        assert_eq!(fixture.everything(&log).await, recorded);
        for number in 0..10 {
            let request = expecting(Expected::after(round), append(&fixture.chat(number), format!("{round}")));
            assert_eq!(log.append(request).await.unwrap().last_sequence, round + 1);
        }
        recorded = fixture.assert_sound(&log).await;
        log.close().await;
    }
    assert_eq!(recorded.len(), 40);
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

#[cfg(not(feature = "kurrentdb"))]
#[tokio::test]
async fn a_build_without_kurrentdb_says_so() {
    let url = "kurrentdb://localhost:2113".parse().unwrap();
    let refused = docket_eventlog::Log::open(&url, docket_eventlog::Options::default()).await.unwrap_err();
    assert_eq!(refused.code(), "log_not_built");
    assert!(refused.to_string().contains("feature `kurrentdb`"), "{refused}");
}
