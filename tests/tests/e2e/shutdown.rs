//! A clean end: open streams are told, and the turn under way goes on at the next start.

use crate::record::{assert_dense, assert_holds, assert_whole, count, named, streamed};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::{Event, EventStream},
};

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_are_told_and_the_turn_goes_on_after_the_restart() {
    let model = ModelServer::start().await;
    model.then(Script::Stream(vec![Piece::Text("Half ".to_owned()), Piece::Gate(Gate::default())]));
    model.then(Script::say("The whole."));
    let mut server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("Go.").await;
    let (address, token) = (server.address(), server.token());
    let mut streams = Vec::new();
    for path in
        [&format!("/chats/{chat}/events?after=0"), "/events?after=0", &format!("/stream?chats={chat}&list=true&after=0")]
    {
        streams.push(EventStream::open(address, &format!("/api/v1{path}"), &token, None).await);
    }
    let mut seen = Vec::new();
    for stream in &mut streams {
        seen.push(stream.until(|event| event.is("model_call.text_streamed")).await);
    }
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    for (stream, seen) in streams.iter_mut().zip(&mut seen) {
        let rest = stream.rest().await;
        assert_eq!(rest.iter().filter(|event| event.is("shutdown")).count(), 1);
        assert!(rest.last().unwrap().is("shutdown"));
        seen.extend(rest.into_iter().filter(|event| event.id.is_some()));
    }
    assert!(!server.data_dir().join("server.address").exists());

    server.restart().await;
    let history = server.turns(&chat, 1).await;
    assert_holds(&history, &seen[0]);
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_completed"), 1);
    assert_eq!(named(&history, "chat.model_call_failed")[0].payload()["failure"]["class"], "worker_lost");
    assert_eq!(streamed(&history).concat(), "Half The whole.");
    assert_dense(&server.whole_log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_under_way_goes_on_too() {
    let mut server = Server::start(Backend::Sqlite).await;
    let template = server.template().await;
    let chat = server
        .chat(&format!(
            "@call create_workspace {{\"template_id\":\"{template}\"}}\n@step\n\
             @call execute {{\"command\":\"echo ran >> effects; until [ -e go ]; do sleep 0.05; done\",\"timeout\":\"1h\"}}"
        ))
        .await;
    let directory = server.workspace_directory().await;
    let effects = directory.join("effects");
    docket_tests::server::until("the command runs", || effects.exists()).await;
    assert_eq!(server.terminate().await.code(), Some(0), "{}", server.log());
    server.restart().await;
    std::fs::write(directory.join("go"), "").unwrap();
    let history = server.turns(&chat, 1).await;
    assert_whole(&history);
    assert!(history.last().unwrap().is("chat.turn_completed"));
    assert_eq!(docket_tests::server::lines(&effects), ["ran"]);
    assert!(history.iter().all(|event: &Event| !event.is("chat.tool_call_cancelled")));
}
