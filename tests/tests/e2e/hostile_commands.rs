//! Files and commands that would do harm in a workspace: the tool says what is wrong, bounded, and the chat goes on.

use crate::record::{assert_whole, results};
use docket_tests::{
    model_server::{ModelServer, Script},
    server::{Backend, Server},
};
use serde_json::{Value, json};

/// A chat with a workspace, in which these calls are made one after the other; what each was answered with.
async fn perform(calls: Vec<(&str, Value)>) -> Vec<(String, String)> {
    let model = ModelServer::start().await;
    let server = Server::with_model(Backend::Sqlite, &model).await;
    model.then(Script::call(&[("create_workspace", json!({ "template_id": server.template().await }))]));
    for (tool, input) in &calls {
        model.then(Script::call(&[(tool, input.clone())]));
    }
    let chat = server.chat("Go.").await;
    let history = server.turns(&chat, 1).await;
    assert!(history.last().unwrap().is("chat.turn_completed"), "{:?}", history.last());
    assert_whole(&history);
    server.say(&chat, "And now?", "turn_end").await;
    assert!(server.turns(&chat, 2).await.last().unwrap().is("chat.turn_completed"));
    let mut results = results(&history);
    let (outcome, text) = results.remove(0);
    assert_eq!(outcome, "ok", "{text}");
    assert_eq!(results.len(), calls.len());
    results
}

fn execute(command: &str) -> (&'static str, Value) {
    ("execute", json!({ "command": command, "timeout": "2m" }))
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_outside_and_files_that_cannot_be_read() {
    let read = |path: &str| ("read_file", json!({ "path": path }));
    let write = |path: &str| ("write_file", json!({ "path": path, "content": "x" }));
    let setup = "truncate -s 1G sparse; head -c 4096 /dev/urandom > binary; ln -s /etc/passwd link; ln -s / root; mkfifo pipe";
    let calls = vec![
        execute(setup),
        read("../../../etc/passwd"),
        read("/etc/passwd"),
        read("link"),
        read("root/etc/passwd"),
        write("../escaped"),
        write("/escaped"),
        write("root/tmp/escaped"),
        read("sparse"),
        read("binary"),
        read("pipe"),
        read("."),
        read("missing"),
        read(&"x".repeat(10_000)),
        read("a\0b"),
    ];
    let results = perform(calls).await;
    assert_eq!(results[0].0, "ok", "{:?}", results[0]);
    for (outcome, text) in &results[1..] {
        assert_eq!(outcome, "error", "{text}");
        assert!(!text.contains("root:") && !text.is_empty() && text.len() < 20_000, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_never_ends_is_left_and_then_killed() {
    let model = ModelServer::start().await;
    let server = Server::with_model(Backend::Sqlite, &model).await;
    model.then(Script::call(&[("create_workspace", json!({ "template_id": server.template().await }))]));
    model.then(Script::call(&[("execute", json!({ "command": "echo begun; sleep 1000000", "timeout": "1s" }))]));
    let with_process = |tool: &'static str, input: Value| {
        move |body: &Value| {
            let mut input = input;
            input["process_id"] = process_id(body).into();
            Script::call(&[(tool, input)])
        }
    };
    model.then_with(with_process("process_output", json!({ "wait_timeout": "0s" })));
    model.then_with(with_process("process_signal", json!({ "signal": "kill" })));
    model.then_with(with_process("process_output", json!({ "wait_timeout": "1m" })));
    model.then(Script::call(&[("process_list", json!({}))]));
    let chat = server.chat("Go.").await;
    let history = server.turns(&chat, 1).await;
    assert_whole(&history);
    let results: Vec<Value> = results(&history)
        .into_iter()
        .map(|(outcome, text)| {
            assert_eq!(outcome, "ok", "{text}");
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    assert_eq!((&results[1]["running"], &results[1]["output"]), (&json!(true), &json!("begun\n")));
    assert_eq!(results[2]["running"], true);
    assert_eq!((&results[4]["running"], &results[4]["signal"]), (&json!(false), &json!(9)));
    assert_eq!(results[5]["processes"][0]["running"], false);
}

/// The process that the answers of a conversation speak of.
fn process_id(body: &Value) -> String {
    let answers = body["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "tool");
    let mut ids = answers.filter_map(|message| {
        let answer: Value = serde_json::from_str(message["content"].as_str()?).ok()?;
        answer["process_id"].as_str().map(str::to_owned)
    });
    ids.next_back().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_prints_without_end_is_bounded() {
    let calls = vec![
        ("execute", json!({ "command": "yes 'all work and no play' & sleep 1; kill $!", "timeout": "1m" })),
        execute("head -c 100000 /dev/urandom"),
        execute("printf '\\033[2J\\377\\376\\000end'"),
        execute("exit 7"),
        execute("kill -SEGV $$"),
        execute("cat"),
        execute("(sleep 1000000 &) ; echo left"),
    ];
    let results = perform(calls).await;
    for (n, (outcome, text)) in results.iter().enumerate() {
        assert_eq!(outcome, "ok", "{n}: {text}");
        assert!(text.len() <= 64 * 1024);
    }
    // The first two lie in the blob table.
    let answer = |n: usize| serde_json::from_str::<Value>(&results[n].1).unwrap();
    assert_eq!(results[0].1, "");
    assert!(answer(2)["output"].as_str().unwrap().ends_with("end"));
    assert_eq!(answer(3)["exit_code"], 7);
    assert_eq!(answer(4)["signal"], 11);
    assert_eq!(answer(5)["exit_code"], 0, "standard input is empty");
    assert!(answer(6)["output"].as_str().unwrap().contains("left"));
}
