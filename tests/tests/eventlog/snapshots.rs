//! Snapshots bound the load of an aggregate and change nothing else.

use crate::{
    counter::{Command, Counter, context},
    fixture::*,
    ledger::{Entry, Ledger},
};
use cqrs_es::CqrsFramework;
use docket_domain::{Decide, Metadata};
use docket_eventlog::{Aggregates, Append, Log, StreamId};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use uuid::Uuid;

on_both! {
    a_snapshot_and_its_tail_are_the_whole_history
    a_long_stream_is_loaded_from_its_tail
    what_cannot_be_used_is_ignored
    may_be_deleted_and_dropped
    serve_cqrs_es_too
    failing_ones_fail_no_command
    are_of_events_that_are_there
}

type Current = Ledger<1>;

pub fn entry(amount: i64) -> Entry {
    Entry { amount, note: format!("note {}", amount % 3) }
}

/// What somebody else appends.
fn foreign(id: Uuid, entries: &[Entry]) -> Append {
    let events = entries.iter().map(|entry| event(serde_json::to_string(entry).unwrap())).collect();
    Append { events, ..append(&StreamId::new("ledger", id.to_string()), "") }
}

async fn enter(aggregates: &Aggregates<Current>, id: Uuid, entries: Vec<Entry>) {
    aggregates.execute(id, None, Metadata::system(), &context(), entries, Vec::new()).await.unwrap();
}

/// Waits until every snapshot that was taken is written or has failed.
pub async fn settled(log: &Log) {
    loop {
        let stats = log.stats();
        if stats.snapshots_taken == stats.snapshots_written + stats.snapshots_failed {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The state by the book: from all events, each once.
pub async fn folded<A: Decide<Event: serde::de::DeserializeOwned>>(log: &Log, id: Uuid) -> (A, u64) {
    let (mut state, mut sequence) = (A::default(), 0);
    loop {
        let events = log.read_stream(&StreamId::new(A::KIND, id.to_string()), sequence, 1000).await.unwrap();
        if events.is_empty() {
            return (state, sequence);
        }
        for event in events {
            state.apply_event(&event.decode().unwrap());
            sequence = event.sequence;
        }
    }
}

pub async fn loaded<A: Decide>(aggregates: &Aggregates<A>, id: Uuid) -> (A, u64) {
    aggregates.read(id, |state, sequence| (state.clone(), sequence)).await.unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Execute(Vec<Entry>),
    /// Past the memory of the aggregates.
    Append(Vec<Entry>),
    Read,
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let entries = || vec((any::<i64>(), any::<String>()).prop_map(|(amount, note)| Entry { amount, note }), 1..8);
    let step = prop_oneof![
        6 => entries().prop_map(Step::Execute),
        2 => entries().prop_map(Step::Append),
        1 => Just(Step::Read),
        3 => Just(Step::Forget),
    ];
    vec(step, 1..25)
}

async fn a_snapshot_and_its_tail_are_the_whole_history(fixture: Fixture) {
    let log = fixture.open().await;
    let mut runner = TestRunner::deterministic();
    let (mut tails, mut used) = (std::collections::BTreeSet::new(), 0);
    for _ in 0..24 {
        let (every, steps) = (1..12u64, steps()).new_tree(&mut runner).unwrap().current();
        let (id, fresh) = (Uuid::now_v7(), || Aggregates::<Current>::new(log.clone()).snapshot_every(every));
        let mut aggregates = fresh();
        for step in steps.into_iter().chain([Step::Forget, Step::Forget]) {
            match step {
                Step::Execute(entries) => enter(&aggregates, id, entries).await,
                Step::Append(entries) => drop(log.append(foreign(id, &entries)).await.unwrap()),
                Step::Read => assert_eq!(loaded(&aggregates, id).await, folded(&log, id).await),
                Step::Forget => {
                    settled(&log).await;
                    aggregates = fresh();
                    let before = log.stats();
                    assert_eq!(loaded(&aggregates, id).await, folded(&log, id).await);
                    let after = log.stats();
                    used += after.snapshots_used - before.snapshots_used;
                    tails.insert(after.events_loaded - before.events_loaded);
                }
            }
        }
    }
    assert!(used > 24 && tails.len() > 4, "snapshots were used {used} times, with tails of {tails:?}");
    assert_eq!(log.stats().snapshots_failed, 0);
    assert_sound(&log).await;
}

async fn a_long_stream_is_loaded_from_its_tail(fixture: Fixture) {
    let log = fixture.open().await;
    let id = Uuid::now_v7();
    for thousands in 0..20 {
        let entries: Vec<_> = (0..1000).map(|number| entry(thousands * 1000 + number)).collect();
        log.append(foreign(id, &entries)).await.unwrap();
    }
    // Nobody has taken one yet; the long load does.
    assert_eq!(loaded(&Aggregates::<Current>::new(log.clone()), id).await.1, 20_000);
    settled(&log).await;
    let stats = log.stats();
    assert_eq!((stats.events_loaded, stats.snapshots_used, stats.snapshots_written), (20_000, 0, 1));
    log.append(foreign(id, &[entry(1), entry(2), entry(3)])).await.unwrap();
    log.close().await;

    let log = fixture.open().await;
    let aggregates = Aggregates::<Current>::new(log.clone());
    assert_eq!(loaded(&aggregates, id).await, folded(&log, id).await);
    let stats = log.stats();
    assert_eq!((stats.events_loaded, stats.snapshots_used, stats.snapshots_taken), (3, 1, 0), "the tail and nothing else");
    // The next one is due when 500 events have come since the last, and a command knows the position of the newest event.
    for number in 0..497 {
        assert_eq!(log.stats().snapshots_taken, 0, "{number}");
        enter(&aggregates, id, vec![entry(number)]).await;
    }
    settled(&log).await;
    assert_eq!((log.stats().snapshots_taken, log.stats().snapshots_written), (1, 1));
    let aggregates = Aggregates::<Current>::new(log.clone());
    let nothing = aggregates.execute(id, None, Metadata::system(), &context(), Vec::new(), Vec::new()).await.unwrap();
    assert_eq!((nothing.position, nothing.sequence), (20_500, 20_500));
    assert_eq!(log.stats().events_loaded, 3);
}

/// One stream with a snapshot after its sixth event, and a seventh event.
async fn seven(log: &Log) -> Uuid {
    let (id, aggregates) = (Uuid::now_v7(), Aggregates::<Current>::new(log.clone()).snapshot_every(6));
    for number in 0..7 {
        enter(&aggregates, id, vec![entry(number)]).await;
    }
    settled(log).await;
    assert_eq!(loads::<1>(log, id).await, (1, 1));
    id
}

/// Loads the stream and says how many events and snapshots that took.
async fn loads<const VERSION: u32>(log: &Log, id: Uuid) -> (u64, u64) {
    let before = log.stats();
    let state = loaded(&Aggregates::<Ledger<VERSION>>::new(log.clone()), id).await;
    assert_eq!(state, folded(log, id).await);
    let after = log.stats();
    (after.events_loaded - before.events_loaded, after.snapshots_used - before.snapshots_used)
}

async fn what_cannot_be_used_is_ignored(fixture: Fixture) {
    let log = fixture.open().await;
    let id = seven(&log).await;
    assert_eq!(loads::<2>(&log, id).await, (7, 0), "the state has another version");
    let nonsense = if matches!(fixture, Fixture::Sqlite(_)) { "x'28b52ffd00'" } else { "'\\x28b52ffd00'::bytea" };
    for damage in [
        format!("state = {nonsense}"),
        format!("leaf_hash = {nonsense}"),
        // As after somebody restored an older log around it.
        "sequence = 8".into(),
        "sequence = 5".into(),
        "state_version = 0".into(),
    ] {
        let id = seven(&log).await;
        fixture.sql(&format!("UPDATE aggregate_snapshots SET {damage}")).await.unwrap();
        assert_eq!(loads::<1>(&log, id).await, (7, 0), "{damage}");
        // The next one takes its place, whatever it claimed to be.
        let again = Aggregates::<Current>::new(log.clone()).snapshot_every(7);
        loaded(&again, id).await;
        settled(&log).await;
        assert_eq!(loads::<1>(&log, id).await, (0, 1), "{damage}");
    }
    assert_eq!(log.stats().snapshots_failed, 0);
}

async fn may_be_deleted_and_dropped(fixture: Fixture) {
    let log = fixture.open().await;
    let id = seven(&log).await;
    fixture.sql("DELETE FROM aggregate_snapshots").await.unwrap();
    assert_eq!(loads::<1>(&log, id).await, (7, 0));
    // Somebody who has the state in memory goes on, and takes the next one in time.
    let id = seven(&log).await;
    fixture.sql("DROP TABLE aggregate_snapshots").await.unwrap();
    assert_eq!(loads::<1>(&log, id).await, (7, 0));
    let aggregates = Aggregates::<Current>::new(log.clone()).snapshot_every(1);
    enter(&aggregates, id, vec![entry(8)]).await;
    enter(&aggregates, id, vec![entry(9)]).await;
    settled(&log).await;
    assert!(log.stats().snapshots_failed > 0);
    assert_eq!(loads::<1>(&log, id).await, (9, 0));
    assert_sound(&log).await;
}

/// A snapshot mode of cqrs-es applies the events of a snapshot twice; ours does not, and `Counter` would not have it.
async fn serve_cqrs_es_too(fixture: Fixture) {
    let log = fixture.open().await;
    let id = Uuid::now_v7();
    for round in 0..12 {
        let aggregates = Aggregates::<Counter>::new(log.clone()).snapshot_every(3);
        let framework = CqrsFramework::new(aggregates.clone(), Vec::new(), context());
        framework.execute(&id.to_string(), Command::Count(2)).await.unwrap();
        // Changes its state, then fails.
        framework.execute(&id.to_string(), Command::CountBelow(0)).await.unwrap_err();
        framework.execute(&id.to_string(), Command::Count(1)).await.unwrap();
        settled(&log).await;
        let count = 3 * (round + 1);
        let fresh = Aggregates::<Counter>::new(log.clone());
        assert_eq!(fresh.read(id, |counter, sequence| (counter.count, sequence)).await, Ok((count, count)));
    }
    assert!(log.stats().snapshots_used > 12);
}

async fn failing_ones_fail_no_command(fixture: Fixture) {
    let log = fixture.open().await;
    let refuse = match fixture {
        Fixture::Sqlite(_) => {
            "CREATE TRIGGER full BEFORE INSERT ON aggregate_snapshots BEGIN SELECT RAISE(ROLLBACK, 'no room'); END"
        }
        Fixture::Postgres(_) => {
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$; \
             CREATE TRIGGER no_room BEFORE INSERT ON aggregate_snapshots FOR EACH ROW EXECUTE FUNCTION no_room()"
        }
    };
    fixture.sql(refuse).await.unwrap();
    let aggregates = Aggregates::<Current>::new(log.clone()).snapshot_every(2);
    let ids: Vec<_> = (0..6).map(|_| Uuid::now_v7()).collect();
    for number in 0..20 {
        let entries = ids.iter().map(|id| enter(&aggregates, *id, vec![entry(number)]));
        futures_util::future::join_all(entries).await;
    }
    settled(&log).await;
    let stats = log.stats();
    assert!(stats.snapshots_failed > 0 && stats.snapshots_written == 0 && stats.failed == 0, "{stats:?}");
    // Much as after a crash between the events and their snapshot.
    log.close().await;
    let log = fixture.open().await;
    for id in ids {
        assert_eq!(loads::<1>(&log, id).await, (20, 0));
    }
    assert_sound(&log).await;
}

/// Many take snapshots of one stream while it goes on.
async fn are_of_events_that_are_there(fixture: Fixture) {
    let log = fixture.open().await;
    let id = Uuid::now_v7();
    let writers = (0..4).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            // Each remembers by itself, as four processes do.
            let aggregates = Aggregates::<Current>::new(log).snapshot_every(1 + writer);
            for number in 0..15 {
                // Fought for; whoever loses too often tries again.
                let (context, entries) = (context(), vec![entry(number)]);
                let execute = || aggregates.execute(id, None, Metadata::system(), &context, entries.clone(), Vec::new());
                while execute().await.is_err() {}
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    settled(&log).await;
    let (events, snapshots) = loads::<1>(&log, id).await;
    assert!(events < 60 && snapshots == 1, "{events} events after a snapshot");
    assert_eq!(log.stats().snapshots_failed, 0);
}
