//! Prompts that are sent while a turn runs, and interrupts.

use crate::record::{assert_whole, count, named, streamed, texts};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server, text, until},
    sse::Event,
};
use serde_json::{Value, json};

/// A server whose model has said `Partial ` and waits at the gate; then it says `answer.`
async fn busy(model: &ModelServer) -> (Server, Gate, String) {
    let gate = Gate::default();
    let pieces =
        vec![Piece::Text("Partial ".to_owned()), Piece::Gate(gate.clone()), Piece::Text("answer.".to_owned()), Piece::End];
    model.then(Script::Stream(pieces));
    let server = Server::with_model(Backend::Sqlite, model).await;
    let chat = server.chat("First.").await;
    server.wait_for(&chat, |event| event.is("model_call.text_streamed")).await;
    (server, gate, chat)
}

/// The prompts of a request, in order.
fn prompts(body: &Value) -> Vec<String> {
    let messages = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "user");
    messages.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

fn queued_id(sent: &Value) -> String {
    assert_eq!(sent["queued"], true, "{sent}");
    sent["queued_id"].as_str().unwrap().to_owned()
}

async fn queue(server: &Server, chat: &str) -> Vec<String> {
    let queue = server.client().get(&format!("/chats/{chat}/queue")).await.ok();
    let items = queue["items"].as_array().unwrap().iter();
    items.map(|item| item["content"][0]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_queued_prompts_are_two_turns_in_order() {
    let model = ModelServer::start().await;
    let (server, gate, chat) = busy(&model).await;
    queued_id(&server.say(&chat, "Second.", "turn_end").await);
    queued_id(&server.say(&chat, "Third.", "turn_end").await);
    assert_eq!(queue(&server, &chat).await, ["Second.", "Third."]);
    gate.open();
    let history = server.turns(&chat, 3).await;
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_completed"), 3);
    let prompts: Vec<_> = model.bodies().iter().map(prompts).collect();
    assert_eq!(prompts, [vec!["First."], vec!["First.", "Second."], vec!["First.", "Second.", "Third."]]);
    // Each is delivered when the turn before it has ended, not before.
    let order: Vec<&str> = history
        .iter()
        .map(|event| event.name.as_str())
        .filter(|name| matches!(*name, "chat.turn_completed" | "chat.queued_prompt_delivered" | "chat.turn_requested"))
        .collect();
    let turn = ["chat.turn_completed", "chat.queued_prompt_delivered", "chat.turn_requested"];
    assert_eq!(order, [&["chat.turn_requested"][..], &turn, &turn, &["chat.turn_completed"]].concat());
    assert_eq!(queue(&server, &chat).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_edited_reordered_and_thinned_out() {
    let model = ModelServer::start().await;
    let (server, gate, chat) = busy(&model).await;
    let client = server.client();
    let mut ids = Vec::new();
    for prompt in ["A", "B", "C"] {
        ids.push(queued_id(&server.say(&chat, prompt, "turn_end").await));
    }
    let path = format!("/chats/{chat}/queue");
    client.patch(&format!("{path}/{}", ids[0]), &json!({ "content": text("A, edited") })).await.ok();
    client.patch(&path, &json!({ "order": [ids[2], ids[0], ids[1]] })).await.ok();
    assert_eq!(queue(&server, &chat).await, ["C", "A, edited", "B"]);
    client.delete(&format!("{path}/{}", ids[1])).await.ok();
    assert_eq!(queue(&server, &chat).await, ["C", "A, edited"]);

    let (code, detail) = client.patch(&path, &json!({ "order": [ids[2]] })).await.problem(422);
    assert_eq!(code, "order_incomplete");
    assert!(detail.contains("order"), "{detail}");
    client.delete(&format!("{path}/{}", ids[1])).await.problem(404);
    client.patch(&format!("{path}/{}", ids[0]), &json!({ "content": text(" ") })).await.problem(422);
    gate.open();
    let history = server.turns(&chat, 3).await;
    assert_whole(&history);
    assert_eq!(prompts(model.bodies().last().unwrap()), ["First.", "C", "A, edited"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_prompt_interrupts_and_goes_first() {
    let model = ModelServer::start().await;
    let (server, _gate, chat) = busy(&model).await;
    server.say(&chat, "Later.", "turn_end").await;
    let urgent = queued_id(&server.say(&chat, "Urgent.", "turn_end").await);
    server.client().post(&format!("/chats/{chat}/queue/{urgent}/promote"), &json!({})).await.ok();
    let history = server.turns(&chat, 3).await;
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_interrupted"), 1);
    assert_eq!(count(&history, "chat.turn_completed"), 2);
    let bodies = model.bodies();
    assert_eq!(prompts(&bodies[1]), ["First.", "Urgent."]);
    assert_eq!(prompts(&bodies[2]), ["First.", "Urgent.", "Later."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_keeps_the_partial_answer_and_the_chat_goes_on() {
    let model = ModelServer::start().await;
    let (server, _gate, chat) = busy(&model).await;
    let path = format!("/chats/{chat}/interrupt");
    server.client().post(&path, &json!({})).await.ok();
    let history = server.turns(&chat, 1).await;
    assert!(history.last().unwrap().is("chat.turn_interrupted"));
    assert_whole(&history);
    let completed = named(&history, "chat.model_call_completed");
    assert_eq!(completed[0].payload()["stop_reason"], "interrupted");
    assert_eq!(completed[0].payload()["parts"][0]["text"], "Partial ");
    let (code, _) = server.client().post(&path, &json!({})).await.problem(409);
    assert_eq!(code, "no_turn");

    model.then(Script::say("Gladly."));
    server.say(&chat, "Go on.", "turn_end").await;
    let history = server.turns(&chat, 2).await;
    assert!(history.last().unwrap().is("chat.turn_completed"));
    let now = server.client().get(&format!("/chats/{chat}")).await.ok();
    assert_eq!(texts(&now["messages"]), ["First.", "Partial ", "Go on.", "Gladly."]);
    assert_eq!(now["messages"][1]["state"], "interrupted");
    // The model is told what it had said.
    let last = model.bodies().pop().unwrap();
    assert!(last["messages"].to_string().contains("Partial "), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_can_be_interrupted() {
    let model = ModelServer::start().await;
    model.then(Script::Hang);
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("Are you there?").await;
    server.wait_for(&chat, |event| event.is("chat.model_call_started")).await;
    server.client().post(&format!("/chats/{chat}/interrupt"), &json!({})).await.ok();
    assert!(server.turns(&chat, 1).await.last().unwrap().is("chat.turn_interrupted"));
    server.say(&chat, "And now?", "turn_end").await;
    assert!(server.turns(&chat, 2).await.last().unwrap().is("chat.turn_completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_cancels_a_running_tool() {
    let server = Server::start(Backend::Sqlite).await;
    let template = server.template().await;
    let chat = server
        .chat(&format!(
            "@call create_workspace {{\"template_id\":\"{template}\"}}\n@step\n\
             @call execute {{\"command\":\"touch begun; sleep 100000\",\"timeout\":\"1h\"}}"
        ))
        .await;
    let begun = server.workspace_directory().await.join("begun");
    until("the command runs", || begun.exists()).await;
    server.client().post(&format!("/chats/{chat}/interrupt"), &json!({})).await.ok();
    let history = server.turns(&chat, 1).await;
    assert!(history.last().unwrap().is("chat.turn_interrupted"));
    assert_whole(&history);
    assert_eq!(count(&history, "chat.tool_call_cancelled"), 1);
    server.say(&chat, "@say Still here.", "turn_end").await;
    let history = server.turns(&chat, 2).await;
    assert!(streamed(&history).concat().ends_with("Still here."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_for_the_next_step_reaches_the_running_turn() {
    let (model, gate) = (ModelServer::start().await, Gate::default());
    let Script::Stream(mut pieces) = Script::call(&[("list_templates", json!({}))]) else { unreachable!() };
    pieces.insert(0, Piece::Gate(gate.clone()));
    model.then(Script::Stream(pieces));
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let chat = server.chat("First.").await;
    gate.reached(1).await;
    queued_id(&server.say(&chat, "By the way.", "next_step").await);
    gate.open();
    let history = server.turns(&chat, 1).await;
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_requested"), 1);
    assert_eq!(count(&history, "chat.queued_prompt_delivered"), 1);
    let bodies = model.bodies();
    assert_eq!(prompts(&bodies[0]), ["First."]);
    assert_eq!(prompts(&bodies[1]), ["First.", "By the way."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_interrupts_begins_its_own_turn_at_once() {
    let model = ModelServer::start().await;
    let (server, _gate, chat) = busy(&model).await;
    server.say(&chat, "Stop, do this.", "interrupt").await;
    let history = server.turns(&chat, 2).await;
    let ends: Vec<&str> = history.iter().filter(|event| event.ends_turn()).map(|event| event.name.as_str()).collect();
    assert_eq!(ends, ["chat.turn_interrupted", "chat.turn_completed"]);
    assert_whole(&history);
    assert_eq!(prompts(&model.bodies()[1]), ["First.", "Stop, do this."]);
    assert!(history.iter().all(|event: &Event| !event.is("chat.model_call_failed")));
}
