//! An event that cannot be projected is set aside and seen; everything else goes on.

use crate::{
    backend::{Backend, Kind, PATIENCE},
    history::World,
};
use docket_domain::{Metadata, ids::ChatId};
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use docket_projections::{Projections, audit_log::AuditQuery, chat::ChatQuery};
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
