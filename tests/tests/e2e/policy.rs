//! What an administrator withdraws is gone for a running chat at its next step.

use crate::record::{assert_whole, count, named, only_result};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::Event,
};
use serde_json::{Value, json};

/// A chat whose model is about to call `list_templates`, and waits for the policy to change first.
async fn change_in_mid_step(change: Value) -> (ModelServer, Server, Vec<Event>) {
    let (model, gate) = (ModelServer::start().await, Gate::default());
    let Script::Stream(mut pieces) = Script::call(&[("list_templates", json!({}))]) else { unreachable!() };
    pieces.insert(0, Piece::Gate(gate.clone()));
    model.then(Script::Stream(pieces));
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("Look.").await;
    gate.reached(1).await;
    server.client().patch("/policy", &change).await.ok();
    gate.open();
    let history = server.turns(&chat, 1).await;
    assert_whole(&history);
    (model, server, history)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_model() {
    let change = json!({ "withdraw": [{ "subject": "model", "name": "openai/test-model" }] });
    let (model, server, history) = change_in_mid_step(change).await;
    refused(&model, &history);
    let body = json!({ "model": "openai/test-model" });
    let (_, detail) = server.client().post("/chats", &body).await.problem(422);
    assert!(detail.contains("withdrawn"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_provider() {
    let (model, _, history) = change_in_mid_step(json!({ "withdraw": [{ "subject": "provider", "name": "openai" }] })).await;
    refused(&model, &history);
}

/// The tool call still ran; the next model call was not made.
fn refused(model: &ModelServer, history: &[Event]) {
    assert_eq!(model.received().len(), 1);
    assert_eq!(count(history, "chat.tool_call_completed"), 1);
    let failed = named(history, "chat.turn_failed");
    let failure = failed[0].payload()["failure"].take();
    assert!(failure["message"].as_str().unwrap().contains("withdrawn by an administrator"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_tool() {
    let change = json!({ "withdraw": [{ "subject": "tool", "name": "list_templates" }] });
    let (model, server, history) = change_in_mid_step(change).await;
    let (outcome, text) = only_result(&history);
    assert_eq!(outcome, "error");
    assert!(text.contains("withdrawn by an administrator"), "{text}");
    assert!(history.last().unwrap().is("chat.turn_completed"));
    let offered =
        |body: &Value| body["tools"].as_array().unwrap().iter().any(|tool| tool["function"]["name"] == "list_templates");
    let bodies = model.bodies();
    assert_eq!(bodies.iter().map(offered).collect::<Vec<_>>(), [true, false]);
    let restore = json!({ "restore": [{ "subject": "tool", "name": "list_templates" }] });
    server.client().patch("/policy", &restore).await.ok();
    let chat = server.chat("Again.").await;
    server.turns(&chat, 1).await;
    assert!(offered(model.bodies().last().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_limit_of_steps() {
    let (model, _, history) = change_in_mid_step(json!({ "step_limit": 1 })).await;
    assert_eq!(model.received().len(), 1);
    let failed = named(&history, "chat.turn_failed");
    assert!(failed[0].payload()["failure"]["message"].as_str().unwrap().contains("limit of 1 steps"), "{}", failed[0].data);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_system_prompt() {
    let (model, _, _) = change_in_mid_step(json!({ "system_prompt": "Be brief." })).await;
    let system = |body: &Value| body["messages"][0]["content"].as_str().unwrap().to_owned();
    let bodies = model.bodies();
    assert_ne!(system(&bodies[0]), "Be brief.");
    assert_eq!(system(&bodies[1]), "Be brief.");
}
