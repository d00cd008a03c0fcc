//! Snapshots of aggregates: a cold load begins at one.

use crate::fixture::*;
use docket_domain::{Context, Metadata, Timestamp};
use docket_eventlog::{Aggregates, Append, Log};
use docket_tests::ledger::{Entry, Ledger};
use uuid::Uuid;

on_all! {
    a_long_stream_is_loaded_from_its_tail
}

/// Ids have to be, for aggregates; so they are new ones, on a shared server too.
fn entry(amount: i64) -> Entry {
    Entry { amount, note: format!("note {}", amount % 3) }
}

async fn settled(log: &Log) {
    loop {
        let stats = log.stats();
        if stats.snapshots_taken == stats.snapshots_written + stats.snapshots_failed {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_long_stream_is_loaded_from_its_tail(fixture: Fixture) {
    let log = fixture.open().await;
    let id = Uuid::now_v7();
    let stream = docket_eventlog::StreamId::new("ledger", id.to_string());
    for thousands in 0..3 {
        let entries = (0..1000).map(|number| event(serde_json::to_string(&entry(thousands * 1000 + number)).unwrap()));
        log.append(Append { events: entries.collect(), ..append(&stream, "") }).await.unwrap();
    }
    let load = |log: Log| async move {
        let aggregates = Aggregates::<Ledger<1>>::new(log);
        aggregates.read(id, |state, sequence| (state.clone(), sequence)).await.unwrap()
    };
    let (state, sequence) = load(log.clone()).await;
    assert_eq!((state.entries.len(), sequence), (3000, 3000));
    settled(&log).await;
    let stats = log.stats();
    assert_eq!((stats.events_loaded, stats.snapshots_used, stats.snapshots_written), (3000, 0, 1));
    log.close().await;

    let log = fixture.open().await;
    let aggregates = Aggregates::<Ledger<1>>::new(log.clone()).snapshot_every(2);
    let context = Context { now: Timestamp(0), id: Uuid::nil() };
    for number in 0..3 {
        aggregates.execute(id, None, Metadata::system(), &context, vec![entry(number)], Vec::new()).await.unwrap();
    }
    settled(&log).await;
    let stats = log.stats();
    assert_eq!((stats.events_loaded, stats.snapshots_used, stats.snapshots_failed), (0, 1, 0));
    assert!(stats.snapshots_written > 0, "another took the place of the first");
    let before = stats.events_loaded;
    let (state, sequence) = load(log.clone()).await;
    assert_eq!((state.entries.len(), sequence), (3003, 3003));
    assert!(log.stats().events_loaded - before < 3, "the tail and nothing else");
}
