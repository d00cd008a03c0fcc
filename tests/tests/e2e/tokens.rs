//! One event for each token: what the model sent, what the log holds and what readers get are the same.

use crate::record::{assert_dense, assert_whole, count, positions, streamed};
use docket_tests::{
    model_server::{ModelServer, Piece, Script},
    server::{Backend, Server},
    sse::{DEADLINE, Event, Parser},
};
use serde_json::Value;
use std::process::Stdio;
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

const TOKENS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_token_is_an_event_on_sqlite() {
    every_token_is_an_event(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_is_an_event_on_postgres() {
    every_token_is_an_event(Backend::Postgres).await;
}

async fn every_token_is_an_event(backend: Backend) {
    let model = ModelServer::start().await;
    let server = Server::with_model(backend, &model).await;
    let template = server.template().await;
    let sent: Vec<String> = (0..TOKENS).map(|n| format!("{}{n}", [" ", "ß", "\n", "\"", "\u{1F4DC}"][n % 5])).collect();
    let calls = ["list_templates", "read_template", "create_workspace"].map(|tool| {
        let input = if tool == "list_templates" { "{}".to_owned() } else { format!("{{\"template_id\": \"{template}\"}}") };
        (tool, input)
    });
    let Script::Stream(calls) = Script::call_raw(&calls.each_ref().map(|(tool, input)| (*tool, input.as_str()))) else {
        unreachable!()
    };
    model.then(Script::Stream(sent.iter().cloned().map(Piece::Text).chain(calls).collect()));
    model.then(Script::say("That was all."));

    let chat = server.chat("Say much.").await;
    let url = format!("http://{}/api/v1/chats/{chat}/events?after=0", server.address());
    let curl = tokio::spawn(curl(url, server.token()));
    let mine = server.turns(&chat, 1).await;

    let tail = server.docket_ok(&["events", "tail", "--no-follow", "--chat", &chat, "--json"]).await;
    let tail: Vec<&str> = tail.lines().collect();
    let data: Vec<&str> = mine.iter().map(|event| event.data.as_str()).collect();
    assert!(tail == data, "`events tail` and the stream differ");
    assert!(curl.await.unwrap() == mine, "curl and this reader got different events");

    let streamed = streamed(&mine);
    assert_eq!(streamed[..TOKENS], sent[..]);
    assert_eq!(streamed[TOKENS..].concat(), "That was all.");
    assert_eq!(count(&mine, "chat.tool_call_requested"), 3);
    assert_eq!(count(&mine, "chat.tool_call_completed"), 3);
    assert_whole(&mine);

    let whole = server.docket_ok(&["events", "tail", "--no-follow", "--json"]).await;
    let whole: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whole: Vec<u64> = whole.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert!(whole == (1..=whole.len() as u64).collect::<Vec<_>>(), "positions are not dense");
    assert_dense(&server.whole_log().await);
    assert!(positions(&mine).is_sorted_by(|a, b| a < b));
}

/// What `curl -N` prints until the turn has ended.
async fn curl(url: String, token: String) -> Vec<Event> {
    let mut command = Command::new("curl");
    command.args(["-sN", "-H", &format!("Authorization: Bearer {token}"), &url]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut parser, mut events, mut buffer) = (Parser::default(), Vec::new(), [0; 4096]);
    loop {
        let read = timeout(DEADLINE, output.read(&mut buffer)).await.expect("output in time").unwrap();
        assert!(read > 0, "curl ended");
        parser.push(&buffer[..read]);
        while let Some(event) = parser.pop() {
            let last = event.ends_turn();
            events.push(event);
            if last {
                return events;
            }
        }
    }
}
