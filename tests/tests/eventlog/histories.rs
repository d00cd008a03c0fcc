//! A log that version 0.1 wrote on Postgres: its rows are carried over when it is opened, and nothing of it is lost or changed.

use crate::{
    counter::{Command, Counter, Event, context},
    fixture::*,
};
use cqrs_es::{EventStore, persist::PersistedEventStore};
use docket_domain::Metadata;
use docket_eventlog::{Aggregates, DatabaseUrl, Expected, Filter, Log, Options, StreamId};
use postgres_es::{PostgresEventRepository, default_postgress_pool, postgres_cqrs};
use std::path::Path;
use uuid::Uuid;

/// The counter in it, to which a stock postgres-es and version 0.1 counted in turn.
const COUNTER: Uuid = Uuid::from_u128(0x00c0_17e3);

async fn restored() -> Fixture {
    let fixture = Fixture::postgres();
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories/0.1/postgres.sql");
    fixture.sql(&std::fs::read_to_string(dump).unwrap()).await.unwrap();
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_version_0_1_is_carried_over() {
    let fixture = restored().await;
    // Processes start at once, as they do after an upgrade.
    let (log, other) = tokio::join!(fixture.open(), fixture.open());
    let events = assert_sound(&log).await;
    assert_eq!(events.len(), 427);
    assert_eq!(everything(&other).await, events);

    // Its first events were written to both databases; the other one's file is kept beside it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docket.db");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("histories/0.1/docket.db"), &path).unwrap();
    let sqlite = Log::open(&DatabaseUrl::Sqlite(path), Options::default()).await.unwrap();
    let on_sqlite = assert_sound(&sqlite).await;
    assert_eq!(on_sqlite.len(), 407);
    for (here, there) in events.iter().zip(&on_sqlite) {
        assert_eq!(
            (&here.stream, here.sequence, here.scope, &here.event_type, &here.event_version, &here.payload, &here.metadata),
            (
                &there.stream,
                there.sequence,
                there.scope,
                &there.event_type,
                &there.event_version,
                &there.payload,
                &there.metadata
            )
        );
        let (Some(scope), Ok(Some(command))) = (here.scope, here.metadata().map(|metadata| metadata.command)) else { continue };
        assert_eq!(log.find_command(&here.stream, command.0).await, sqlite.find_command(&there.stream, command.0).await);
        let (of_chat, limit) = (log.read_all(here.position - 1, &Filter::scope(scope), 1).await.unwrap(), 1);
        assert_eq!(of_chat.events.len(), limit);
    }
    let odd = log.read_stream(&StreamId::new("odd", "ключ 🗝 \"'\\%_"), 0, 10).await.unwrap();
    let payloads = ["{}", "null", " { \"b\" : 1,\t\"a\" : 1, \"a\": 2.50e+0 }\n", "\"\\u0000 \\ud800 ⚖️ 日本\"", "1e999"];
    assert!(odd.iter().map(|event| &event.payload).eq(payloads.iter()));
    assert_eq!(log.load_bookmark("worker").await.unwrap().unwrap().state, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_version_0_1_goes_on() {
    let fixture = restored().await;
    let log = fixture.open().await;
    let counters = Aggregates::<Counter>::new(log.clone());
    assert_eq!(counters.read(COUNTER, |counter, _| counter.count).await, Ok(15));
    assert_eq!(log.stats().snapshots_used, 1);
    counters.execute(COUNTER, None, Metadata::system(), &context(), Command::Count(1), Vec::new()).await.unwrap();

    let DatabaseUrl::Postgres(url) = fixture.url() else { unreachable!() };
    let pool = default_postgress_pool(&url).await;
    postgres_cqrs::<Counter>(pool.clone(), Vec::new(), context())
        .execute(&COUNTER.to_string(), Command::Count(1))
        .await
        .unwrap();
    let store = PersistedEventStore::<_, Counter>::new_event_store(PostgresEventRepository::new(pool));
    let loaded = store.load_events(&COUNTER.to_string()).await.unwrap();
    assert!(loaded.iter().map(|event| &event.payload).eq((1..=17).map(|to| Event::Counted { to }).collect::<Vec<_>>().iter()));

    // A repeated command is known, and a stream goes on where it was.
    let events = assert_sound(&log).await;
    assert_eq!(events.len(), 429);
    let commanded = events.iter().find(|event| event.metadata().is_ok_and(|metadata| metadata.command.is_some())).unwrap();
    let again = docket_eventlog::Append { metadata: commanded.metadata().unwrap(), ..append(&commanded.stream, "{}") };
    assert!(log.append(again).await.unwrap().repeated);
    let last = events.iter().rfind(|event| event.stream == commanded.stream).unwrap().sequence;
    assert_eq!(log.append(expecting(Expected::Exact(last), append(&commanded.stream, "{}"))).await, Ok(new(430, last + 1)));
    assert_eq!(assert_sound(&log).await.len(), 430);
}
