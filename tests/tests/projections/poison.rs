//! An event that cannot be projected is set aside and seen; everything else goes on.

use crate::{
    backend::{Backend, Kind, PATIENCE},
    history::World,
    trial::{TRIALS, Trying, until},
};
use docket_domain::{Metadata, ids::ChatId};
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use docket_projections::{ProjectionError, Projections, Set, Status, audit_log::AuditQuery, chat::ChatQuery};
use std::sync::atomic::Ordering;
use uuid::Uuid;

async fn append(log: &Log, stream: StreamId, event_type: &str, payload: &str) -> u64 {
    let event =
        NewEvent { event_type: event_type.into(), event_version: "1".into(), payload: payload.as_bytes().to_vec().into() };
    let (expected, metadata) = (Expected::Any, Metadata::system());
    let append = Append { stream, scope: None, expected, events: vec![event], blobs: vec![], metadata };
    log.append(append).await.unwrap().last_position
}

async fn a_poison_event_is_set_aside(kind: Kind) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let mut world = World::new(51, log.clone());
    world.run(200).await;
    let chat = ChatId(Uuid::from_u128(5));
    let stream = || StreamId::new("chat", chat.to_string());
    let user = Uuid::from_u128(1);
    append(&log, stream(), "chat.created", &format!(r#"{{"type":"created","owner":"{user}"}}"#)).await;
    let future = append(&log, stream(), "chat.titled", r#"{"type":"from_a_later_version"}"#).await;
    append(&log, stream(), "chat.titled", r#"{"type":"titled","title":"After it"}"#).await;
    let nameless = append(&log, StreamId::new("workspace", "no-id"), "workspace.stopped", "{}").await;
    world.run(200).await;

    // All of it in few batches, with the poison amid them.
    let projections = Projections::start(log.clone(), backend.views("views").await).await.unwrap();
    let head = log.head().await.unwrap();
    projections.wait_for(head, PATIENCE).await.unwrap();
    let failures = projections.failures(None, 100).await.unwrap();
    let mut found: Vec<_> = failures.iter().map(|one| (one.projection.as_str(), one.position)).collect();
    found.sort_unstable();
    let expected = [("audit_log", future), ("audit_log", nameless), ("chat", future), ("workspaces", nameless)];
    assert_eq!(found, expected);
    let why = failures.iter().find(|one| one.projection == "chat").unwrap();
    assert!(why.error.contains("from_a_later_version") && why.event_type == "chat.titled", "{why:?}");
    let status = projections.status().await.unwrap();
    assert!(status.iter().all(|one| one.lag == 0));
    assert_eq!(status.iter().filter_map(|one| one.live.as_ref()).map(|live| live.failures).sum::<u64>(), 4);

    let document = projections.chats().get(chat).await.unwrap().unwrap();
    assert_eq!(document.title.as_deref(), Some("After it"));
    let all = ChatQuery { limit: 200, ..ChatQuery::default() };
    assert!(projections.chats().list(&all).await.unwrap().items.len() >= 5, "the other chats are there");
    let of_chat = AuditQuery { action: Some("chat.titled".to_owned()), limit: 100, ..AuditQuery::default() };
    let audit = projections.audit_log().query(&of_chat).await.unwrap();
    assert!(audit.items.iter().any(|entry| entry.resource == stream().to_string()));
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_is_set_aside_on_sqlite() {
    a_poison_event_is_set_aside(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_is_set_aside_on_postgres() {
    a_poison_event_is_set_aside(Kind::Postgres).await;
}

async fn mended<const T: usize>(kind: Kind, panics: bool) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let mut world = World::new(52, log.clone());
    world.run(1_500).await;
    let trial = &TRIALS[T];
    trial.poison.store(700, Ordering::SeqCst);
    trial.panics.store(panics, Ordering::SeqCst);
    let set = Set::standard().with::<Trying<1, T>>();
    let views = backend.views("views").await;
    let projections = Projections::start_set(&set, log.clone(), views.clone()).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    let failures = projections.failures(Some("trial"), 10).await.unwrap();
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    let why = if panics { "the projection panicked: this event is too much" } else { "this event is not understood" };
    assert!(failure.position == 700 && failure.generation == 1 && failure.error.contains(why), "{failure:?}");
    assert_eq!(projections.failures(None, 10).await.unwrap(), failures, "the others went on");

    // Nothing was mended: it fails again, and is seen again.
    assert!(matches!(projections.retry("trial", Some(701)).await, Err(ProjectionError::NothingToRetry { .. })));
    assert_eq!(projections.retry("trial", Some(700)).await.unwrap(), 2);
    let live = |generation| move |status: &Status| status.live.as_ref().is_some_and(|live| live.generation == generation);
    let status = until(&projections, "trial", live(2)).await;
    assert_eq!(status.live.unwrap().failures, 1);

    trial.poison.store(0, Ordering::SeqCst);
    assert_eq!(projections.retry("trial", None).await.unwrap(), 3);
    world.run(100).await;
    let status = until(&projections, "trial", live(3)).await;
    assert_eq!(status.live.unwrap().failures, 0);
    assert_eq!(projections.failures(None, 10).await.unwrap(), []);
    let head = log.head().await.unwrap();
    projections.wait_for(head, PATIENCE).await.unwrap();
    let rows = views.read().await.unwrap().fetch("SELECT position FROM trial_v1_g3 ORDER BY position", vec![]).await.unwrap();
    let positions: Vec<_> = rows.iter().map(|row| row.count(0).unwrap()).collect();
    assert!(positions.into_iter().eq(1..=head), "every event has had its turn");
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_is_applied_in_its_place_after_a_fix_on_sqlite() {
    mended::<3>(Kind::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_is_applied_in_its_place_after_a_fix_on_postgres() {
    mended::<4>(Kind::Postgres, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_projection_shows_a_failure_and_goes_on_on_sqlite() {
    mended::<5>(Kind::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panicking_projection_shows_a_failure_and_goes_on_on_postgres() {
    mended::<6>(Kind::Postgres, true).await;
}
