//! Commands on aggregates, our way and cqrs-es's.

use crate::{
    counter::{Command, Counter, Event, Full, context},
    fixture::*,
};
use cqrs_es::{AggregateError, CqrsFramework, EventStore};
use docket_domain::{
    Metadata,
    actor::Actor,
    ids::{CommandId, UserId},
};
use docket_eventlog::{Aggregates, ExecuteError, Executed, Expected, StreamId};
use std::collections::HashMap;
use uuid::Uuid;

on_both! {
    executes_and_reads
    repeats_and_refuses
    decides_again_after_a_conflict
    notices_what_others_append
    forgets_the_oldest
    serves_cqrs_es
    evicts_what_was_not_committed
}

type Execution = Result<Executed<Event>, ExecuteError<Full>>;

async fn execute(aggregates: &Aggregates<Counter>, id: Uuid, command: Command) -> Execution {
    aggregates.execute(id, None, Metadata::system(), &context(), command, Vec::new()).await
}

/// What somebody else appends who does not know what we remember.
fn foreign(id: Uuid, to: u64) -> docket_eventlog::Append {
    let payload = serde_json::to_string(&Event::Counted { to }).unwrap();
    append(&StreamId::new("counter", id.to_string()), payload)
}

async fn executes_and_reads(fixture: Fixture) {
    let log = fixture.open().await;
    let (aggregates, id) = (Aggregates::<Counter>::new(log.clone()), Uuid::now_v7());
    assert_eq!(aggregates.read(id, |counter, sequence| (counter.count, sequence)).await, Ok((0, 0)));
    let nothing = Executed { position: 0, sequence: 0, events: vec![], repeated: false };
    assert_eq!(execute(&aggregates, id, Command::Count(0)).await, Ok(nothing));
    let two = execute(&aggregates, id, Command::Count(2)).await.unwrap();
    assert_eq!((two.position, two.sequence), (2, 2));
    assert_eq!(two.events, [Event::Counted { to: 1 }, Event::Counted { to: 2 }]);
    let nothing = Executed { position: 2, sequence: 2, events: vec![], repeated: false };
    assert_eq!(execute(&aggregates, id, Command::Count(0)).await, Ok(nothing));

    let commands = (0..40).map(|_| execute(&aggregates, id, Command::Count(1)));
    assert!(futures_util::future::join_all(commands).await.into_iter().all(|executed| executed.is_ok()));
    // Also read from nothing, in more than one page.
    execute(&aggregates, id, Command::Count(2000)).await.unwrap();
    for aggregates in [aggregates, Aggregates::new(log.clone())] {
        assert_eq!(aggregates.read(id, |counter, sequence| (counter.count, sequence)).await, Ok((2042, 2042)));
    }
    assert_sound(&log).await;
}

async fn repeats_and_refuses(fixture: Fixture) {
    let log = fixture.open().await;
    let (aggregates, id) = (Aggregates::<Counter>::new(log.clone()), Uuid::now_v7());
    let context = context();
    let once = Metadata::system().commanded(CommandId(Uuid::now_v7()));
    let send = || aggregates.execute(id, None, once.clone(), &context, Command::CountBelow(1), Vec::new());
    assert_eq!(send().await.unwrap().sequence, 1);
    // It would be refused now, but it is the same command.
    assert_eq!(send().await, Ok(Executed { position: 1, sequence: 1, events: vec![], repeated: true }));
    assert_eq!(execute(&aggregates, id, Command::CountBelow(1)).await, Err(ExecuteError::Refused(Full)));
    assert_eq!(execute(&aggregates, id, Command::CountBelow(1)).await.unwrap_err().code(), "counter_full");

    // One that would still be allowed is recognised by the log.
    let once = Metadata::system().commanded(CommandId(Uuid::now_v7()));
    let send = || aggregates.execute(id, None, once.clone(), &context, Command::Count(1), Vec::new());
    assert!(!send().await.unwrap().repeated);
    assert_eq!(send().await, Ok(Executed { position: 2, sequence: 2, events: vec![], repeated: true }));
    assert_eq!(assert_sound(&log).await.len(), 2);
}

/// Two that remember the same aggregates apart from each other, as two processes do.
async fn decides_again_after_a_conflict(fixture: Fixture) {
    let log = fixture.open().await;
    let (one, other, id) = (Aggregates::<Counter>::new(log.clone()), Aggregates::new(log.clone()), Uuid::now_v7());
    let turns = (0..30).map(|turn| execute(if turn % 2 == 0 { &one } else { &other }, id, Command::Count(1)));
    assert!(futures_util::future::join_all(turns).await.into_iter().all(|executed| executed.is_ok()));
    for aggregates in [one, other] {
        assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(30));
    }
    assert_sound(&log).await;
}

async fn notices_what_others_append(fixture: Fixture) {
    let log = fixture.open().await;
    let (aggregates, id) = (Aggregates::<Counter>::new(log.clone()), Uuid::now_v7());
    execute(&aggregates, id, Command::Count(1)).await.unwrap();
    log.append(foreign(id, 2)).await.unwrap();
    assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(2));
    log.append(foreign(id, 3)).await.unwrap();
    // A refusal is only given for the newest state,
    assert_eq!(execute(&aggregates, id, Command::CountBelow(3)).await, Err(ExecuteError::Refused(Full)));
    log.append(foreign(id, 4)).await.unwrap();
    // and so are no events,
    assert_eq!(execute(&aggregates, id, Command::Count(0)).await.unwrap().sequence, 4);
    log.append(foreign(id, 5)).await.unwrap();
    // and new ones are decided again.
    assert_eq!(execute(&aggregates, id, Command::Count(1)).await.unwrap().events, [Event::Counted { to: 6 }]);
}

async fn forgets_the_oldest(fixture: Fixture) {
    let log = fixture.open().await;
    let aggregates = Aggregates::<Counter>::with_capacity(log, 2);
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    for round in 1..=3 {
        for id in &ids {
            assert_eq!(execute(&aggregates, *id, Command::Count(1)).await.unwrap().sequence, round);
        }
    }
}

async fn serves_cqrs_es(fixture: Fixture) {
    let log = fixture.open().await;
    let aggregates = Aggregates::<Counter>::new(log.clone());
    let framework = CqrsFramework::new(aggregates.clone(), Vec::new(), context());
    let (id, scope) = (Uuid::now_v7(), Uuid::now_v7());
    let metadata = Metadata::new(Actor::User(UserId(id)), UserId(id)).caused_by(7);
    let mut map = docket_eventlog::metadata_map(&metadata).unwrap();
    map.insert("scope".into(), scope.to_string());
    framework.execute_with_metadata(&id.to_string(), Command::Count(3), map).await.unwrap();
    framework.execute(&id.to_string(), Command::Count(1)).await.unwrap();
    // Both ways work on the same state.
    assert_eq!(execute(&aggregates, id, Command::Count(1)).await.unwrap().sequence, 5);
    framework.execute(&id.to_string(), Command::Count(0)).await.unwrap();

    let envelopes = aggregates.load_events(&id.to_string()).await.unwrap();
    assert!(envelopes.iter().map(|envelope| envelope.sequence).eq(1..=5));
    assert_eq!(envelopes[0].metadata.get("causation").unwrap(), "7");
    let events = assert_sound(&log).await;
    assert_eq!((events[0].metadata().unwrap(), events[0].scope), (metadata, Some(scope)));
    assert_eq!((events[3].metadata().unwrap(), events[3].scope), (Metadata::system(), None));
}

async fn evicts_what_was_not_committed(fixture: Fixture) {
    let log = fixture.open().await;
    let aggregates = Aggregates::<Counter>::new(log.clone());
    let framework = CqrsFramework::new(aggregates.clone(), Vec::new(), context());
    let id = Uuid::now_v7();
    framework.execute(&id.to_string(), Command::Count(1)).await.unwrap();
    // The handler counts and then fails.
    let failed = framework.execute(&id.to_string(), Command::CountBelow(0)).await;
    assert!(matches!(failed, Err(AggregateError::UserError(Full))));
    assert_eq!(aggregates.read(id, |counter, _| counter.count).await, Ok(1));

    // Loaded here, changed there: a conflict, and the next one gets through.
    let loaded = aggregates.load_aggregate(&id.to_string()).await.unwrap();
    log.append(expecting(Expected::Exact(1), foreign(id, 2))).await.unwrap();
    let refused = aggregates.commit(vec![Event::Counted { to: 2 }], loaded, HashMap::new()).await;
    assert!(matches!(refused, Err(AggregateError::AggregateConflict)));
    framework.execute(&id.to_string(), Command::Count(1)).await.unwrap();
    assert_eq!(aggregates.read(id, |counter, sequence| (counter.count, sequence)).await, Ok((3, 3)));
}
