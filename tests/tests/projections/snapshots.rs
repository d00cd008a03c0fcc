//! A snapshot is the chat exactly as of its position, in the middle of an answer too.

use crate::{
    backend::{Backend, Kind, PATIENCE},
    history::World,
    traffic::Streamed,
};
use docket_domain::ids::ChatId;
use docket_eventlog::Log;
use docket_projections::{
    Projections,
    chat::{ChatSnapshot, ChatView, MessageRange, MessageState},
};
use rand::Rng as _;

const LIMIT: usize = 200;

/// Goes on from a snapshot with the events after it, as a reader of the stream does.
fn follow(snapshot: &ChatSnapshot, events: &[Streamed], head: u64) -> ChatSnapshot {
    let mut view = ChatView { chat: snapshot.chat.clone(), messages: snapshot.messages.clone() };
    for event in events.iter().filter(|event| event.position() > snapshot.position) {
        event.fold_into(&mut view);
    }
    view.into_snapshot(head, LIMIT)
}

async fn snapshots_are_exact(kind: Kind, seed: u64) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let views = backend.views("views").await;
    let mut world = World::new(seed, log.clone());
    let mut projections = Projections::start(log.clone(), views.clone()).await.unwrap();
    let mut taken: Vec<(ChatId, ChatSnapshot)> = Vec::new();
    while world.events < 6_000 {
        let events = world.rng.random_range(1..60);
        world.run(events).await;
        // After a restart nothing is in memory, and the log is asked.
        if world.rng.random_bool(0.05) {
            projections.stop().await;
            projections = Projections::start(log.clone(), views.clone()).await.unwrap();
        }
        if world.rng.random_bool(0.5) {
            projections.wait_for_one("chat", log.head().await.unwrap(), PATIENCE).await.unwrap();
        }
        for chat in world.chats.clone() {
            taken.extend(projections.chats().snapshot(chat.id, LIMIT).await.unwrap().map(|snapshot| (chat.id, snapshot)));
        }
    }
    let streaming = |snapshot: &ChatSnapshot| {
        let open = snapshot.messages.last().filter(|message| message.state == MessageState::Streaming);
        open.is_some_and(|message| !message.parts.is_empty())
    };
    assert!(taken.iter().filter(|(_, snapshot)| streaming(snapshot)).count() > 50, "many in the middle of an answer");

    let head = log.head().await.unwrap();
    let reads = projections.chats();
    for (chat, snapshot) in &taken {
        let then = reads.at(*chat, snapshot.position, LIMIT).await.unwrap();
        assert_eq!(then.as_ref(), Some(snapshot));
    }
    for chat in &world.chats {
        let events = world.events_of(chat.id, 0).await;
        let now = reads.at(chat.id, head, LIMIT).await.unwrap().unwrap();
        for (_, snapshot) in taken.iter().filter(|(of, _)| *of == chat.id) {
            assert_eq!(follow(snapshot, &events, head), now, "from {}", snapshot.position);
        }
    }
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_exact_on_sqlite() {
    snapshots_are_exact(Kind::Sqlite, 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_exact_on_postgres() {
    snapshots_are_exact(Kind::Postgres, 12).await;
}

async fn fold_trace(log: &Log, chat: ChatId, wanted: &[u64]) -> Vec<(u64, ChatSnapshot)> {
    let events = crate::traffic::events_of(log, chat, 0).await;
    let mut view = ChatView::new(chat);
    let mut trace = Vec::new();
    let mut events = events.iter().peekable();
    for position in wanted {
        while let Some(event) = events.next_if(|event| event.position() <= *position) {
            event.fold_into(&mut view);
        }
        if view.exists() {
            trace.push((*position, view.clone().into_snapshot(*position, LIMIT)));
        }
    }
    trace
}

#[tokio::test(flavor = "multi_thread")]
async fn any_position_of_the_past_is_as_it_was() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let mut world = World::new(21, log.clone());
    world.run(4_000).await;
    let head = log.head().await.unwrap();
    let wanted: Vec<u64> = (1..=head).step_by(37).chain([head]).collect();
    for chat in &world.chats {
        for (position, then) in fold_trace(&log, chat.id, &wanted).await {
            assert_eq!(docket_projections::chat::at(&log, chat.id, position, LIMIT).await.unwrap(), Some(then));
        }
    }
    let never = ChatId(uuid::Uuid::nil());
    assert_eq!(docket_projections::chat::at(&log, never, head, LIMIT).await.unwrap(), None);
    assert_eq!(docket_projections::chat::at(&log, world.chats[0].id, 0, LIMIT).await.unwrap(), None, "before it began");
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_pages_without_gaps() {
    let backend = Backend::new(Kind::Sqlite);
    let log = backend.log().await;
    let mut world = World::new(31, log.clone());
    world.run(4_000).await;
    let projections = Projections::start(log.clone(), backend.views("views").await).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    let reads = projections.chats();
    for chat in &world.chats {
        let count = reads.get(chat.id).await.unwrap().unwrap().message_count;
        let mut back = Vec::new();
        let mut range = MessageRange::Newest;
        loop {
            let page = reads.messages(chat.id, range, 7).await.unwrap();
            assert!(page.items.len() <= 7);
            let Some(first) = page.items.first() else { break };
            range = MessageRange::Before(first.ordinal);
            assert_eq!(page.has_more, first.ordinal > 0);
            back.splice(0..0, page.items);
        }
        let mut forth = reads.messages(chat.id, MessageRange::Before(1), 7).await.unwrap().items;
        while let Some(last) = forth.last() {
            let page = reads.messages(chat.id, MessageRange::After(last.ordinal), 5).await.unwrap();
            if page.items.is_empty() {
                break;
            }
            forth.extend(page.items);
        }
        assert_eq!(back, forth);
        assert!(back.iter().map(|message| message.ordinal).eq(0..count));
    }
    assert!(reads.messages(ChatId(uuid::Uuid::nil()), MessageRange::Newest, 7).await.unwrap().items.is_empty());
    projections.stop().await;
    log.close().await;
}
