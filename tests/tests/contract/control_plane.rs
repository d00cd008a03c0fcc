//! A whole control plane with its log on the double: the real program, its views in SQLite.

use docket_eventlog::Log;
use docket_tests::{
    kurrentdb::KurrentDb,
    server::{Backend, Server},
    sse::Event,
};

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| &*event.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn works_and_goes_on_after_a_crash() {
    let kurrentdb = KurrentDb::start().await;
    let url = kurrentdb.url();
    // The client that tests speak to a server with brings another provider of cryptography, for the other tests of this process, too.
    Log::prepare(&url.parse().unwrap()).await.unwrap();
    let mut server = Server::with(Backend::Sqlite, &[("DOCKET_DATABASE", &url), ("DOCKET_VIEWS", "sqlite:views.db")]).await;

    // The scripted model performs its task, with tool calls in a workspace.
    let chat = server.chat("Show me what you can do.").await;
    let turn = server.turns(&chat, 1).await;
    assert!(names(&turn).contains(&"chat.turn_completed"), "{:?}", names(&turn));
    let called = turn.iter().filter(|event| event.is("chat.tool_call_completed")).count();
    let streamed = turn.iter().filter(|event| event.is("model_call.text_streamed")).count();
    assert!(called > 1 && streamed > 10, "{called} tool calls, {streamed} tokens");
    assert!(turn.windows(2).all(|pair| pair[0].position() < pair[1].position()));

    // A reader that comes back gets what one that stayed got.
    let (seen, after) = turn.split_at(turn.len() / 2);
    let again = server.events(&chat, seen.last().map(Event::position)).await.until(Event::ends_turn).await;
    assert_eq!(again, after);

    server.kill9().await;
    server.restart().await;
    let view = server.client().get(&format!("/chats/{chat}")).await.ok();
    assert_eq!(view["chat"]["status"], "waiting", "{view}");
    kurrentdb.cut();
    server.say(&chat, "And once more.", "turn_end").await;
    let turns = server.turns(&chat, 2).await;
    assert_eq!(&turns[..turn.len()], turn);
    assert_eq!(turns.last().map(|event| &*event.name), Some("chat.turn_completed"));
}
