//! Providers that err, lie or break off: each failure is recorded with its class, and the chat goes on.

use crate::record::{assert_whole, count, named, results, streamed};
use docket_tests::{
    model_server::{ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::Event,
};
use serde_json::{Value, json};

/// A chat whose first request is answered like this, until its turn has ended; then another prompt is answered.
async fn meet(scripts: Vec<Script>) -> (ModelServer, Vec<Event>) {
    let model = ModelServer::start().await;
    for script in scripts {
        model.then(script);
    }
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("Hello?").await;
    let history = server.turns(&chat, 1).await;
    assert_whole(&history);
    model.then(Script::say("All is well."));
    server.say(&chat, "And now?", "turn_end").await;
    let all = server.turns(&chat, 2).await;
    assert!(all.last().unwrap().is("chat.turn_completed"), "{:?}", all.last());
    assert!(streamed(&all).concat().ends_with("All is well."));
    (model, history)
}

fn failure(history: &[Event]) -> Value {
    let failed = named(history, "chat.model_call_failed");
    assert_eq!(failed.len(), 1);
    failed[0].payload()["failure"].take()
}

/// It fails once with this class, is made again, and succeeds.
async fn fails_and_is_made_again(script: Script, class: &str) -> Value {
    let (model, history) = meet(vec![script, Script::say("Better.")]).await;
    let failure = failure(&history);
    assert_eq!(failure["class"], class, "{failure}");
    assert_eq!(count(&history, "chat.model_call_retry_scheduled"), 1);
    assert_eq!(count(&history, "chat.turn_completed"), 1);
    assert!(streamed(&history).concat().ends_with("Better."));
    // The repeat is the same request.
    let received = model.received();
    assert_eq!(received[0].body, received[1].body);
    failure
}

/// It fails with this class, and the turn with it.
async fn fails_for_good(script: Script, class: &str) -> Value {
    let (_, history) = meet(vec![script]).await;
    let failure = failure(&history);
    assert_eq!(failure["class"], class, "{failure}");
    assert_eq!(count(&history, "chat.model_call_retry_scheduled"), 0);
    let failed = named(&history, "chat.turn_failed");
    assert_eq!(failed[0].payload()["failure"], failure);
    failure
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_chunk() {
    let pieces = vec![text("So "), Piece::Raw(b"data: {\"choices\": [{\"delta\"\n\n".to_vec()), text("lost"), Piece::End];
    fails_and_is_made_again(Script::Stream(pieces), "truncated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut() {
    fails_and_is_made_again(Script::Stream(vec![text("So "), text("far"), Piece::Cut]), "truncated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_without_a_terminal() {
    fails_and_is_made_again(Script::Stream(vec![text("So far")]), "truncated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_bytes_that_are_no_text() {
    let pieces = vec![text("So "), Piece::Raw(b"data: \xff\xfe\x00\n\n".to_vec()), Piece::End];
    fails_and_is_made_again(Script::Stream(pieces), "truncated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_an_end() {
    // More than is read of one; without a limit it would be held in memory for ever.
    let pieces = std::iter::once(Piece::Raw(b"data: ".to_vec()))
        .chain((0..40).map(|_| Piece::Raw(vec![b'x'; 512 * 1024])))
        .chain([Piece::End]);
    fails_and_is_made_again(Script::Stream(pieces.collect()), "truncated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_the_stream() {
    let error = b"data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\"}}\n\n".to_vec();
    fails_and_is_made_again(Script::Stream(vec![text("So "), Piece::Raw(error)]), "provider").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error() {
    let failure = fails_and_is_made_again(Script::error(500, "Something broke."), "provider").await;
    assert_eq!(failure["status"], 500);
    assert!(failure["message"].as_str().unwrap().contains("Something broke."), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    let headers = vec![("content-type", "application/json"), ("retry-after", "2")];
    let body = json!({ "error": { "message": "Slow down." } }).to_string();
    let failure = fails_and_is_made_again(Script::Document(429, headers, body), "rate_limit").await;
    assert_eq!(failure["retry_after_ms"], 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused() {
    fails_for_good(Script::error(401, "Incorrect key provided."), "auth").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model() {
    fails_for_good(Script::error(404, "The model does not exist."), "configuration").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_with_status_200() {
    let body = json!({ "error": { "message": "Not today.", "type": "server_error" } }).to_string();
    fails_and_is_made_again(Script::Document(200, vec![("content-type", "application/json")], body), "provider").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_where_a_stream_was_due() {
    let page = Script::Document(200, vec![("content-type", "text/html")], "<h1>Welcome</h1>".to_owned());
    fails_and_is_made_again(page, "provider").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_is_not_followed() {
    let away = Script::Document(307, vec![("location", "http://127.0.0.1:9/")], String::new());
    fails_for_good(away, "configuration").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_that_make_no_sense_are_answered_with_what_is_wrong() {
    let calls = [
        ("make_coffee", "{}"),
        ("list_templates", "{\"a\""),
        ("read_template", "{}"),
        ("read_template", "{\"template_id\":\"nobody\"}"),
        ("execute", "{\"command\":7}"),
        ("execute", "{\"command\":\"true\",\"speed\":\"high\"}"),
        ("execute", "{\"command\":\"true\",\"timeout\":\"soon\"}"),
        ("execute", "{\"command\":\"true\"}"),
        ("", "{}"),
    ];
    let (model, history) = meet(vec![Script::call_raw(&calls), Script::say("I see.")]).await;
    let results = results(&history);
    assert_eq!(results.len(), calls.len());
    for (outcome, text) in &results {
        assert_eq!(outcome, "error", "{text}");
    }
    let has = |words: &str| assert!(results.iter().any(|(_, text)| text.contains(words)), "{words}: {results:?}");
    has("There is no tool named \"make_coffee\"");
    has("not valid");
    has("template_id");
    has("speed");
    has("no duration");
    has("create_workspace first");
    // The model gets each answer under the id of its call, in the order of the calls.
    let body = &model.bodies()[1];
    let answers = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "tool");
    let ids: Vec<&str> = answers.map(|message| message["tool_call_id"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..calls.len()).map(|n| format!("call-{n}")).collect::<Vec<_>>());
}
