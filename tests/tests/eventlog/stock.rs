//! Stock postgres-es on the same table.

use crate::{
    counter::{Command, Counter, Event, context},
    fixture::*,
};
use cqrs_es::{
    EventEnvelope, EventStore, Query,
    persist::{PersistedEventStore, QueryReplay},
};
use docket_domain::Metadata;
use docket_eventlog::{Aggregates, DatabaseUrl, Filter};
use postgres_es::{PostgresEventRepository, default_postgress_pool, postgres_cqrs, postgres_snapshot_cqrs};
use sqlx::PgPool;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

async fn pool(fixture: &Fixture) -> PgPool {
    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    default_postgress_pool(&url).await
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, u64)>>>);

#[async_trait::async_trait]
impl Query<Counter> for Seen {
    async fn dispatch(&self, id: &str, events: &[EventEnvelope<Counter>]) {
        for event in events {
            let Event::Counted { to } = event.payload;
            self.0.lock().unwrap().push((id.to_owned(), to));
        }
    }
}

/// Stock writers and ours at once: one dense log, each reads the other's, and the hashes agree.
#[tokio::test(flavor = "multi_thread")]
async fn stock_writers_share_the_table() {
    let fixture = Fixture::postgres();
    let log = fixture.open().await;
    let (pool, aggregates) = (pool(&fixture).await, Aggregates::<Counter>::new(log.clone()));
    let shared = Uuid::now_v7();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (framework, aggregates) = (postgres_cqrs::<Counter>(pool.clone(), Vec::new(), context()), aggregates.clone());
        let (theirs, ours) = (Uuid::now_v7(), Uuid::now_v7());
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                framework.execute(&theirs.to_string(), Command::Count(2)).await.unwrap();
                // Fought for; whoever loses tries again.
                while framework.execute(&shared.to_string(), Command::Count(1)).await.is_err() {}
            }
            (theirs, 20)
        }));
        tasks.push(tokio::spawn(async move {
            let context = context();
            for _ in 0..10 {
                let count = |id| aggregates.execute(id, None, Metadata::system(), &context, Command::Count(1), Vec::new());
                count(ours).await.unwrap();
                while count(shared).await.is_err() {}
            }
            (ours, 10)
        }));
    }
    let mut counts = vec![(shared, 80)];
    for task in tasks {
        counts.push(task.await.unwrap());
    }
    assert_eq!(assert_sound(&log).await.len(), 4 * (20 + 10) + 80);
    // What stock writers append wakes readers too.
    let mut subscription = log.subscribe(log.head().await.unwrap(), Filter::all());
    postgres_cqrs::<Counter>(pool.clone(), Vec::new(), context()).execute("x", Command::Count(1)).await.unwrap();
    assert_eq!(subscription.next().await.unwrap().events.len(), 1);

    let store = PersistedEventStore::<_, Counter>::new_event_store(PostgresEventRepository::new(pool.clone()));
    for (id, count) in counts {
        assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(count));
        assert_eq!(store.load_events(&id.to_string()).await.unwrap().len() as u64, count);
        let seen = Seen::default();
        let replay = QueryReplay::<_, _, Counter>::new(PostgresEventRepository::new(pool.clone()), seen.clone());
        replay.replay(&id.to_string()).await.unwrap();
        assert!(seen.0.lock().unwrap().iter().map(|seen| seen.1).eq(1..=count));
    }
}

/// An aggregate without the assertion of ours that each event comes once.
mod tally {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub struct Tally(pub u64);

    impl cqrs_es::Aggregate for Tally {
        const TYPE: &'static str = "tally";
        type Command = ();
        type Event = Event;
        type Error = crate::counter::Full;
        type Services = ();

        async fn handle(&mut self, (): (), (): &(), sink: &cqrs_es::event_sink::EventSink<Self>) -> Result<(), Self::Error> {
            sink.write(Event::Counted { to: 1 }, self).await;
            Ok(())
        }

        fn apply(&mut self, _: Event) {
            self.0 += 1;
        }
    }
}

/// Why `postgres_snapshot_cqrs` is not used.
#[tokio::test(flavor = "multi_thread")]
async fn snapshots_of_cqrs_es_apply_events_twice() {
    let fixture = Fixture::postgres();
    let _log = fixture.open().await;
    fixture
        .sql(
            "CREATE TABLE snapshots (aggregate_type text NOT NULL, aggregate_id text NOT NULL, last_sequence bigint NOT NULL, \
             current_snapshot bigint NOT NULL, payload json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, last_sequence))",
        )
        .await
        .unwrap();
    let pool = pool(&fixture).await;
    let framework = postgres_snapshot_cqrs::<tally::Tally>(pool.clone(), Vec::new(), 5, ());
    for _ in 0..12 {
        framework.execute("one", ()).await.unwrap();
    }
    let repository = PostgresEventRepository::new(pool);
    let store = PersistedEventStore::<_, tally::Tally>::new_snapshot_store(repository, 5);
    let mut loaded = store.load_aggregate("one").await.unwrap();
    let count = cqrs_es::AggregateContext::aggregate(&mut loaded).0;
    assert_ne!(
        count, 12,
        "cqrs-es applies the events of a snapshot once now: the fault is mended upstream, and the warning in eventlog's \
         aggregates/cqrs.rs and in this test can go"
    );
}
