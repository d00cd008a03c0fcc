//! Several control planes on one Postgres.

use crate::record::{assert_dense, assert_holds, assert_whole, count, named, streamed};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::Event,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_at_another_replica_and_a_lost_worker_is_replaced() {
    let (model, gate) = (ModelServer::start().await, Gate::default());
    let tokens = |from: usize| (from..from + 500).map(|n| Piece::Text(format!("word{n} ")));
    let pieces = tokens(0).chain([Piece::Gate(gate.clone())]).chain(tokens(500)).chain([Piece::Gate(gate.clone())]);
    model.then(Script::Stream(pieces.collect()));
    model.then(Script::say("To its end."));
    let mut first = Server::with_model(Backend::Postgres, &model).await;
    let chat = first.chat("Go.").await;
    gate.reached(1).await;
    // Only now, so that it is the first that has the turn.
    let second = first.replica().await;

    // A cursor of one is good at the other, while the first goes on writing.
    let mut here = first.events(&chat, Some(0)).await;
    let mut seen = Vec::new();
    while streamed(&seen).len() < 300 {
        seen.push(here.next().await.unwrap());
    }
    drop(here);
    let mut there = second.events(&chat, Some(seen.last().unwrap().position())).await;
    gate.open();
    while streamed(&seen).len() < 1_000 {
        seen.push(there.next().await.unwrap());
    }
    gate.reached(2).await;
    first.kill9().await;
    seen.extend(there.until(Event::ends_turn).await);
    assert!(seen.last().unwrap().is("chat.turn_completed"), "{:?}", seen.last());
    let history = second.history(&chat).await;
    assert!(seen == history, "what was read at two replicas is not the record");
    assert_whole(&history);
    let claims = named(&history, "chat.turn_claimed");
    assert_ne!(claims[0].payload()["worker"], claims[1].payload()["worker"]);
    assert_dense(&second.whole_log().await);

    first.restart().await;
    assert_holds(&first.history(&chat).await, &seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_two_replicas_make_one_history() {
    let first = Server::start(Backend::Postgres).await;
    let second = first.replica().await;
    let chat = first.client().post("/chats", &json!({})).await.ok()["id"].as_str().unwrap().to_owned();
    let prompt = |server: &Server, n: usize| {
        let client = server.client();
        let path = format!("/chats/{chat}/messages");
        async move {
            let body = json!({ "content": docket_tests::server::text(&format!("@say Answer {n}.")) });
            client.post(&path, &body).await.ok()
        }
    };
    let sent = (0..20).map(|n| prompt(if n % 2 == 0 { &first } else { &second }, n));
    futures_util::future::join_all(sent).await;
    let history = second.turns(&chat, 20).await;
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_completed"), 20);
    let mut answers: Vec<String> = streamed(&history).concat().split_inclusive('.').map(str::to_owned).collect();
    answers.sort();
    let mut all: Vec<String> = (0..20).map(|n| format!("Answer {n}.")).collect();
    all.sort();
    assert_eq!(answers, all);
    assert!(first.history(&chat).await == history);
    assert_dense(&first.whole_log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_replica_is_gone_at_the_other() {
    let first = Server::start(Backend::Postgres).await;
    let second = first.replica().await;
    for n in 0..10 {
        let made = first.client().post("/tokens", &json!({ "name": format!("token {n}") })).await.ok();
        let other = second.client().with_token(made["token"].as_str().unwrap());
        other.get("/chats").await.ok();
        assert_eq!(first.client().delete(&format!("/tokens/{}", made["id"].as_str().unwrap())).await.status, 204);
        other.get("/chats").await.problem(401);
    }
}
