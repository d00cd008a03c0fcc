//! Bad input: each is refused with a problem document that says what is wrong, and changes nothing.

use docket_tests::{
    client::{Answer, Client},
    server::{Backend, Server, text},
};
use reqwest::Method;
use serde_json::{Value, json};

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

async fn head(client: &Client) -> Value {
    client.get("/events/head").await.ok()["position"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense_are_refused() {
    let server = Server::start(Backend::Sqlite).await;
    let client = server.client();
    let chat = client.post("/chats", &json!({})).await.ok()["id"].as_str().unwrap().to_owned();
    let before = head(&client).await;
    let messages = format!("/chats/{chat}/messages");

    let cases = [
        ("/chats", json!({ "contents": [] }), "contents"),
        ("/chats", json!({ "title": 7 }), "title"),
        ("/chats", json!({ "title": "" }), "title"),
        ("/chats", json!({ "workspace_id": "seven" }), "workspace_id"),
        ("/chats", json!({ "workspace_id": NOBODY }), "workspace_id"),
        ("/chats", json!({ "labels": { "a": 1 } }), "labels"),
        ("/chats", json!({ "content": [{ "type": "text", "text": "x", "lang": "en" }] }), "lang"),
        ("/chats", json!({ "content": [{ "type": "image" }] }), "image"),
        ("/chats", json!({ "content": text("x"), "model": "nobody/any" }), "model"),
        ("/chats", json!({ "content": text("x"), "model": "no slash" }), "model"),
        (&messages, json!({}), "content"),
        (&messages, json!({ "content": [] }), "content"),
        (&messages, json!({ "content": text(" \n\t ") }), "content"),
        (&messages, json!({ "content": "x" }), "content"),
        (&messages, json!({ "content": text("x"), "delivery": "whenever" }), "delivery"),
        (&messages, json!({ "content": text(&"x".repeat(1024 * 1024 + 1)) }), "content"),
        (&messages, json!({ "content": vec![json!({ "type": "text", "text": "x" }); 101] }), "content"),
        ("/tokens", json!({ "name": "x", "expires_in_days": 0 }), "expires_in_days"),
        ("/users", json!({ "name": "x", "role": "god" }), "role"),
    ];
    for (path, body, names) in cases {
        let (_, detail) = client.post(path, &body).await.problem(422);
        assert!(detail.contains(names), "{path}: {detail}");
    }
    for (body, status) in [("{", 400), ("{} {}", 400), ("[[],", 422), ("\u{0}", 400), ("[]", 422), ("7", 422), ("null", 422)] {
        client.send(Method::POST, "/chats", &[], body).await.problem(status);
    }
    client.send(Method::POST, "/chats", &[], b"{\"title\":\"\xff\"}".to_vec()).await.problem(400);
    // Not an object, although its values would fit the fields in their order.
    client.send(Method::POST, "/chats", &[], "[null,null,null,{},\"x\"]").await.problem(422);
    let deep = format!("{{\"content\":{}", "[".repeat(100_000));
    let refused = client.send(Method::POST, "/chats", &[], deep).await;
    assert!(matches!(refused.status, 400 | 422), "{}", refused.text());
    assert_eq!(head(&client).await, before, "a refused request left an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_and_the_client_goes_on() {
    let server = Server::start(Backend::Sqlite).await;
    let client = server.client();
    for _ in 0..30 {
        client.send(Method::POST, "/chats", &[], vec![b' '; 3 * 1024 * 1024]).await.problem(413);
        // On the same connection, unless the server said that it closes it.
        client.get("/chats").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_cursors_and_queries_that_make_no_sense_are_refused() {
    let server = Server::start(Backend::Sqlite).await;
    let client = server.client();
    let chat = client.post("/chats", &json!({})).await.ok()["id"].as_str().unwrap().to_owned();
    for path in ["/chats/seven", &format!("/chats/{NOBODY}"), &format!("/chats/{NOBODY}/events"), "/nothing"] {
        client.get(path).await.problem(404);
    }
    client.get(&format!("/chats/{chat}/model-calls/{NOBODY}/request")).await.problem(404);
    for path in [
        "/chats?cursor=bad",
        "/chats?limit=0",
        "/chats?limit=201",
        "/chats?limit=x",
        "/chats?status=asleep",
        "/chats?unknown=1",
        "/chats?label=x",
        "/audit?cursor=bad",
        "/audit?actor=me",
        "/stream",
        "/stream?chats=x",
        &format!("/chats/{chat}/messages?before=1&after=1"),
        &format!("/chats/{chat}/events?after=-1"),
        &format!("/chats/{chat}?at=x"),
    ] {
        client.get(path).await.problem(422);
    }
    let events = format!("/chats/{chat}/events");
    for (cursor, status) in [("x", 400), ("-1", 400), ("1.5", 400), ("99999999999999999999999", 400), ("999999999", 409)] {
        client.send(Method::GET, &events, &[("last-event-id", cursor)], "").await.problem(status);
    }
    client.get(&format!("{events}?after=999999999")).await.problem(409);
    client.send(Method::PUT, "/chats", &[], "{}").await.problem(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_token_that_holds_is_nobody() {
    let server = Server::start(Backend::Sqlite).await;
    let client = server.client();
    let chat = client.post("/chats", &json!({})).await.ok()["id"].as_str().unwrap().to_owned();
    let strangers =
        [client.without_token(), client.with_token("wrong"), client.with_token(&"x".repeat(10_000)), client.with_token("")];
    for stranger in &strangers {
        for path in ["/chats", &format!("/chats/{chat}"), &format!("/chats/{chat}/events"), "/events", "/audit", "/policy"] {
            let answer: Answer = stranger.get(path).await;
            let (code, _) = answer.problem(401);
            assert_eq!(code, "unauthorized");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        stranger.post("/chats", &json!({})).await.problem(401);
    }
    let basic = client.without_token().send(Method::GET, "/chats", &[("authorization", "Basic eA==")], "").await;
    basic.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_under_its_key_is_carried_out_once() {
    let server = Server::start(Backend::Sqlite).await;
    let client = server.client();
    let body = json!({ "content": text("@say Once."), "title": "Once" }).to_string();
    let key = [("idempotency-key", "a-key")];
    let made = |n: usize| {
        let (client, body) = (client.clone(), body.clone());
        async move { (n, client.send(Method::POST, "/chats", &key, body).await.ok()["id"].as_str().unwrap().to_owned()) }
    };
    // Also at the same time.
    let (a, b, c) = tokio::join!(made(0), made(1), made(2));
    let chat = a.1;
    assert_eq!([b.1, c.1, made(3).await.1], [chat.as_str(); 3]);
    assert_eq!(client.get("/chats").await.ok()["items"].as_array().unwrap().len(), 1);
    server.turns(&chat, 1).await;

    let body = json!({ "content": text("@say Twice.") }).to_string();
    let path = format!("/chats/{chat}/messages");
    let first = client.send(Method::POST, &path, &key, body.clone()).await.ok();
    server.turns(&chat, 2).await;
    let second = client.send(Method::POST, &path, &key, body.clone()).await.ok();
    assert_eq!(first["message_id"], second["message_id"]);
    let other = client.send(Method::POST, &path, &[("idempotency-key", "another")], body).await.ok();
    assert_ne!(first["message_id"], other["message_id"]);
    let history = server.turns(&chat, 3).await;
    assert_eq!(crate::record::count(&history, "chat.prompt_submitted"), 3);
    for bad in ["", &"x".repeat(256)] {
        client.send(Method::POST, &path, &[("idempotency-key", bad)], "{}").await.problem(400);
    }
}
