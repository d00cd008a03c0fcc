//! Workspaces know nothing of what they are used for, and cannot find out.

use crate::record::{assert_whole, results};
use docket_tests::{
    model_server::{ModelServer, Script},
    processes,
    server::{Backend, Server, text, until},
};
use serde_json::json;
use std::{fs, path::Path};

const OPENAI_KEY: &str = "sk-planted-1f0e6c4d";
const OTHER_KEY: &str = "ant-planted-77aa31b2";
const MODEL: &str = "telltale-9000";
/// None of these may be anywhere in a workspace.
const WORDS: &[&str] = &[OPENAI_KEY, OTHER_KEY, MODEL, "openai", "anthropic", "llm", "prompt"];

fn assert_neutral(what: &str, text: &str) {
    // Git's own variable for "never ask".
    let text = text.replace("GIT_TERMINAL_PROMPT", "").to_lowercase();
    for word in WORDS {
        assert!(!text.contains(word), "{what} holds {word:?}");
    }
}

fn assert_neutral_files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_neutral("a file's name", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            count += assert_neutral_files(&path);
        } else if path.is_file() {
            assert_neutral(path.to_str().unwrap(), &String::from_utf8_lossy(&fs::read(&path).unwrap()));
            count += 1;
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_knows_nothing_and_reaches_nothing() {
    let model = ModelServer::named(MODEL).await;
    let environment = [
        ("OPENAI_API_KEY", OPENAI_KEY),
        ("OPENAI_BASE_URL", &model.base_url()),
        ("ANTHROPIC_API_KEY", OTHER_KEY),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9"),
    ];
    let server = Server::with(Backend::Sqlite, &environment).await;
    let template = server.template().await;
    let data = server.data_dir();
    let (data, pid) = (data.display(), server.pid());
    let execute = |command: String| ("execute", json!({ "command": command, "timeout": "5m" }));
    model.then(Script::call(&[("create_workspace", json!({ "template_id": template }))]));
    model.then(Script::call(&[
        execute(format!("cat /proc/{pid}/environ 2>&1")),
        execute("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; env".to_owned()),
        execute(format!("cat {data}/docket.db 2>&1")),
        execute(format!("cat {data}/owner.token {data}/tunnel.key 2>&1")),
        execute(format!("ls -la {data}/ {data}/workspaces/ 2>&1")),
        execute(format!("echo x > {data}/planted 2>&1")),
        execute(format!("kill -9 {pid} 2>&1")),
    ]));
    model.then(Script::call(&[execute("touch running; until [ -e go ]; do sleep 0.05; done".to_owned())]));
    let body = json!({ "content": text("Look around."), "model": format!("openai/{MODEL}") });
    let chat = server.client().post("/chats", &body).await.ok()["id"].as_str().unwrap().to_owned();

    let home = server.workspace_directory().await;
    until("the last command runs", || home.join("running").exists()).await;
    let inside: Vec<u32> = processes::of(home.parent().unwrap()).into_iter().filter(|found| *found != pid).collect();
    assert!(inside.len() >= 3, "a daemon, a supervisor and a command at least: {inside:?}");
    for process in inside {
        assert_neutral("a command line", &processes::command_line(process));
        assert_neutral("an environment", &processes::environment(process));
    }
    assert!(assert_neutral_files(home.parent().unwrap()) > 3);
    fs::write(home.join("go"), "").unwrap();

    let history = server.turns(&chat, 1).await;
    assert!(history.last().unwrap().is("chat.turn_completed"), "{:?}", history.last());
    assert_whole(&history);
    assert_eq!(server.pid(), pid, "the server lives");
    assert!(!server.data_dir().join("planted").exists());
    let results = results(&history);
    assert_eq!(results.len(), 9);
    let token = server.token();
    for (_, text) in &results[1..] {
        assert_neutral("what a command could see", text);
        assert!(!text.contains(&token) && !text.contains("SQLite format"), "{text}");
    }
    let denied = |text: &str| ["No such file", "Permission denied", "cannot access"].iter().any(|word| text.contains(word));
    // In the order of the calls: results of one step may be recorded in any.
    let denials = results[1..8].iter().filter(|(_, text)| denied(text)).count();
    assert!(denials >= 4, "{results:?}");

    let workspaces = server.client().get("/workspaces").await.ok();
    let id = workspaces["items"][0]["id"].as_str().unwrap();
    let log = server.client().get(&format!("/workspaces/{id}/logs")).await.ok();
    let confinement = log["items"].as_array().unwrap().iter().find_map(|line| {
        let text = line["line"].as_str().or_else(|| line["text"].as_str())?;
        text.strip_prefix("confinement: ").map(str::to_owned)
    });
    let confinement = confinement.unwrap_or_else(|| panic!("the build log names no confinement: {log}"));
    assert!(!confinement.starts_with("none"), "{confinement}");
}
