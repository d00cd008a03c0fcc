//! The command line, and the exact request of a model call.

use crate::record::named;
use docket_tests::{
    model_server::{ModelServer, Script},
    server::{Backend, Server},
    sse::Event,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn err(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn run_does_the_whole_job_on_a_fresh_machine() {
    let server = Server::prepare(Backend::Sqlite, &[]);
    let output = server.docket(&["run", "Show me what you can do"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(!output.stdout.is_empty());
    let shown = err(&output);
    assert!(shown.contains("→ execute") && shown.contains("← ok: {\"process_id\""), "{shown}");
    assert!(shown.contains("stopped; its files are in"), "{shown}");
    assert!(docket_tests::processes::of(&server.data_dir()).is_empty(), "something was left running");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_prints_what_a_command_printed_and_events_as_json() {
    let server = Server::start(Backend::Sqlite).await;
    let template = server.template().await;
    let prompt = format!(
        "@call create_workspace {{\"template_id\":\"{template}\"}}\n@step\n\
         @call execute {{\"command\":\"echo $((6*7))-from-inside\"}}\n@step\n@say Ready."
    );
    // It finds the server of the data folder.
    let output = server.docket(&["run", &prompt]).await;
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("42-from-inside"), "{}", err(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Ready."));
    let json = server.docket_ok(&["run", "--json", "@say One.\n@step"]).await;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["type"], "chat.turn_completed");
    let failing = server.docket(&["run", "@fail auth No entry."]).await;
    assert_eq!(failing.status.code(), Some(1));
    assert!(err(&failing).contains("No entry."), "{}", err(&failing));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked() {
    let server = Server::start(Backend::Sqlite).await;
    let secret = server.docket_ok(&["token", "create", "for a script", "--days", "7"]).await;
    let secret = secret.trim();
    let other = server.client().with_token(secret);
    other.get("/chats").await.ok();
    let list = server.docket_ok(&["token", "list"]).await;
    let line = list.lines().find(|line| line.contains("for a script")).unwrap();
    assert!(!list.contains(secret));
    server.docket_ok(&["token", "revoke", line.split(' ').next().unwrap()]).await;
    other.get("/chats").await.problem(401);
    assert!(!server.docket_ok(&["token", "list"]).await.contains("for a script"));
    let again = server.docket(&["token", "revoke", line.split(' ').next().unwrap()]).await;
    assert_eq!(again.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_on_sqlite() {
    migrate(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_on_postgres() {
    migrate(Backend::Postgres).await;
}

async fn migrate(backend: Backend) {
    let mut server = Server::prepare(backend, &[]);
    for _ in 0..2 {
        let output = server.docket(&["migrate"]).await;
        assert!(output.status.success(), "{}", err(&output));
        assert!(err(&output).contains("position 0"), "{}", err(&output));
    }
    server.restart().await;
    server.client().get("/chats").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_shown_and_faults_are_named() {
    let server = Server::prepare(Backend::Sqlite, &[("DOCKET_LISTEN", "127.0.0.1:7071")]);
    let dump = server.docket_ok(&["config", "dump"]).await;
    assert!(dump.contains("127.0.0.1:7071") && dump.contains(server.data_dir().to_str().unwrap()), "{dump}");
    let secret = server.docket_ok(&["--database", "postgres://u:secret@h/d", "config", "dump"]).await;
    assert!(!secret.contains("secret"), "{secret}");
    for (arguments, names) in [
        (&["--database", "mysql://h/d", "serve"][..], "mysql"),
        (&["--listen", "nowhere", "serve"], "nowhere"),
        (&["--config", "missing.toml", "serve"], "missing.toml"),
        (&["events", "tail"], "no server is running"),
    ] {
        let output = server.docket(arguments).await;
        assert!(!output.status.success());
        assert!(err(&output).contains(names), "{arguments:?}: {}", err(&output));
    }
    server.docket_ok(&["completions", "bash"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start(Backend::Sqlite).await;
    let second = server.docket(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = err(&second);
    assert!(said.contains("another") || said.contains("in use") || said.contains("locked"), "{said}");
    // The first is none the worse.
    let chat = server.chat("@say Still here.").await;
    assert!(server.turns(&chat, 1).await.last().unwrap().is("chat.turn_completed"));
    server.docket_ok(&["events", "tail", "--no-follow"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_of_each_model_call_is_what_the_provider_received() {
    let model = ModelServer::start().await;
    let server =
        Server::with(Backend::Sqlite, &[("OPENAI_BASE_URL", &model.base_url()), ("OPENAI_API_KEY", "sk-of-the-test")]).await;
    model.then(Script::call(&[("list_templates", json!({})), ("execute", json!({ "command": "é\u{1F980}\n\"\\" }))]));
    model.then(Script::error(500, "Once."));
    let chat = server.chat("Ünïcödé \u{1F4DC} \u{2028} \"quoted\" \\ <b>").await;
    server.turns(&chat, 1).await;
    server.say(&chat, "More.", "turn_end").await;
    let history = server.turns(&chat, 2).await;
    let calls: Vec<String> = named(&history, "chat.model_call_started")
        .into_iter()
        .map(|event: &Event| event.payload()["model_call_id"].as_str().unwrap().to_owned())
        .collect();
    let received = model.received();
    assert_eq!(calls.len(), 4);
    assert_eq!(received.len(), 4);
    for ((call, received), event) in calls.iter().zip(&received).zip(named(&history, "chat.model_call_started")) {
        let answer = server.client().get(&format!("/chats/{chat}/model-calls/{call}/request")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.bytes == received.body, "the rebuilt request is another than the one received");
        let hash = hex::encode(Sha256::digest(&received.body));
        assert_eq!(answer.headers["docket-body-sha256"], hash.as_str());
        assert_eq!(event.payload()["request_sha256"], hash);
        assert_eq!(received.headers["authorization"], "Bearer sk-of-the-test");
        assert!(!String::from_utf8_lossy(&received.body).contains("sk-of-the-test"));
    }
    let log = server.docket_ok(&["events", "tail", "--no-follow", "--json"]).await;
    assert!(!log.contains("sk-of-the-test") && !server.log().contains("sk-of-the-test"));
}
