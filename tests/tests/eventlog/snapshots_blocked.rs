//! A database that does not take snapshots at the moment.

use crate::{
    counter::{Command, Counter, context},
    fixture::*,
};
use docket_domain::Metadata;
use docket_eventlog::{Aggregates, DatabaseUrl};
use uuid::Uuid;

/// Somebody locks the table: commands go on, what does not fit is left out, and closing waits for nothing. Then nobody is the worse
/// for what was never written.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_snapshot() {
    let fixture = Fixture::postgres();
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let log = fixture.open().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE aggregate_snapshots IN EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    let (aggregates, id) = (Aggregates::<Counter>::new(log.clone()).snapshot_every(1), Uuid::now_v7());
    let (context, count) = (context(), Command::Count(1));
    for _ in 0..50 {
        aggregates.execute(id, None, Metadata::system(), &context, count.clone(), Vec::new()).await.unwrap();
    }
    let stats = log.stats();
    assert_eq!((stats.appends, stats.snapshots_written, stats.snapshots_failed), (50, 0, 0));
    assert!((1..=9).contains(&stats.snapshots_taken), "{}", stats.snapshots_taken);
    log.close().await;

    let log = fixture.open().await;
    let aggregates = Aggregates::<Counter>::new(log.clone()).snapshot_every(1);
    assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(50));
    assert_eq!((log.stats().events_loaded, log.stats().snapshots_used), (50, 0));
    holder.rollback().await.unwrap();
    while log.stats().snapshots_written == 0 {
        tokio::task::yield_now().await;
    }
    let aggregates = Aggregates::<Counter>::new(log.clone());
    assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(50));
    assert_eq!((log.stats().events_loaded, log.stats().snapshots_used), (50, 1));
}
