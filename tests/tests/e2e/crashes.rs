//! The control plane is killed at any instant: what was seen stays, what was begun ends, and each tool call takes effect once.

use crate::record::{assert_dense, assert_holds, assert_whole, count, named, only_result, streamed};
use docket_tests::{
    model_server::{Gate, ModelServer, Piece, Script},
    server::{Backend, Server, lines, until},
    sse::Event,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_token_on_sqlite() {
    killed_in_mid_token(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_token_on_postgres() {
    killed_in_mid_token(Backend::Postgres).await;
}

async fn killed_in_mid_token(backend: Backend) {
    let model = ModelServer::start().await;
    let tokens = (0..3_000).map(|n| Piece::Text(format!("lost{n} ")));
    // It never comes to its end.
    model.then(Script::Stream(tokens.chain([Piece::Gate(Gate::default())]).collect()));
    model.then(Script::tokens((0..50).map(|n| format!("word{n} "))));
    let mut server = Server::with_model(backend, &model).await;
    let chat = server.chat("Talk.").await;
    let mut stream = server.events(&chat, Some(0)).await;
    let mut seen = Vec::new();
    while streamed(&seen).len() < 700 {
        seen.push(stream.next().await.unwrap());
    }
    server.kill9().await;
    // What was on its way still counts as seen.
    seen.extend(stream.rest().await);

    server.restart().await;
    let last = seen.last().unwrap().position();
    let after = server.events(&chat, Some(last)).await.until(Event::ends_turn).await;
    let history = server.history(&chat).await;
    assert_holds(&history, &seen);
    assert!([seen, after].concat() == history, "a reader that came back has other events than the record");
    assert_whole(&history);
    assert_eq!(count(&history, "chat.turn_requested"), 1);
    assert_eq!(count(&history, "chat.turn_completed"), 1);
    let claims = named(&history, "chat.turn_claimed");
    assert_eq!(claims.len(), 2);
    assert_ne!(claims[0].payload()["worker"], claims[1].payload()["worker"]);
    let failed = named(&history, "chat.model_call_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].payload()["failure"]["class"], "worker_lost");
    let answer: String = (0..50).map(|n| format!("word{n} ")).collect();
    assert!(streamed(&history).concat().ends_with(&answer));
    assert_dense(&server.whole_log().await);
    // The lost beginning is not sent to the model again.
    assert!(!model.bodies().last().unwrap().to_string().contains("lost0"));
    server.say(&chat, "And now?", "turn_end").await;
    assert!(server.turns(&chat, 2).await.last().unwrap().is("chat.turn_completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_tool_on_sqlite() {
    killed_in_mid_tool(Backend::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_tool_on_postgres() {
    killed_in_mid_tool(Backend::Postgres, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_ends_while_the_control_plane_is_down() {
    killed_in_mid_tool(Backend::Sqlite, true).await;
}

async fn killed_in_mid_tool(backend: Backend, ends_meanwhile: bool) {
    let mut server = Server::start(backend).await;
    let template = server.template().await;
    let command = "echo ran >> effects; until [ -e go ]; do sleep 0.05; done; echo finished | tee end";
    let chat = server
        .chat(&format!(
            "@call create_workspace {{\"template_id\":\"{template}\"}}\n@step\n\
             @call execute {{\"command\":\"{command}\",\"timeout\":\"10m\"}}\n@step\n@say It is done."
        ))
        .await;
    let directory = server.workspace_directory().await;
    until("the command runs", || lines(&directory.join("effects")).len() == 1).await;
    let seen = server.history(&chat).await;
    assert_eq!(count(&seen, "chat.tool_call_dispatched"), 2);
    server.kill9().await;
    if ends_meanwhile {
        std::fs::write(directory.join("go"), "").unwrap();
        until("the command ends", || lines(&directory.join("end")).len() == 1).await;
    }
    server.restart().await;
    if !ends_meanwhile {
        // The new worker has the turn before the command ends.
        server.wait_for(&chat, |event| event.is("chat.turn_claimed") && !seen.contains(event)).await;
        std::fs::write(directory.join("go"), "").unwrap();
    }
    let history = server.turns(&chat, 1).await;
    assert_holds(&history, &seen);
    assert_whole(&history);
    assert!(history.last().unwrap().is("chat.turn_completed"));
    assert_eq!(lines(&directory.join("effects")), ["ran"]);
    let after: Vec<Event> = history.iter().filter(|event| !seen.contains(event)).cloned().collect();
    let (outcome, text) = only_result(&after);
    assert_eq!(outcome, "ok", "{text}");
    assert!(text.contains("finished"), "{text}");
    assert!(streamed(&history).concat().ends_with("It is done."));
    assert_dense(&server.whole_log().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_ten_times_at_random_on_sqlite() {
    killed_at_random(Backend::Sqlite, 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_ten_times_at_random_on_postgres() {
    killed_at_random(Backend::Postgres, 8).await;
}

const STEPS: usize = 12;
const KILLS: usize = 10;

/// `DOCKET_E2E_SEED` chooses other instants.
async fn killed_at_random(backend: Backend, seed: u64) {
    let seed = std::env::var("DOCKET_E2E_SEED").map_or(seed, |seed| seed.parse().unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    let mut server = Server::start(backend).await;
    let template = server.template().await;
    let mut script = format!("@pace 2\n@call create_workspace {{\"template_id\":\"{template}\"}}\n");
    for step in 0..STEPS {
        script.push_str("@step\n@say Now some words before the tools.\n");
        for call in 0..2 {
            let command = format!("echo {step}.{call} >> effects; sleep 0.1");
            script.push_str(&format!("@call execute {{\"command\":\"{command}\",\"timeout\":\"2m\"}}\n"));
        }
    }
    let chat = server.chat(&script).await;
    let (mut seen, mut kills): (Vec<Event>, usize) = (Vec::new(), 0);
    'turn: loop {
        let last = seen.last().map_or(0, Event::position);
        let mut stream = server.events(&chat, Some(last)).await;
        let patience = if kills < KILLS { random.random_range(1..60) } else { usize::MAX };
        for _ in 0..patience {
            let event = stream.next().await.expect("the server was not killed");
            let ends = event.ends_turn();
            seen.push(event);
            if ends {
                break 'turn;
            }
        }
        server.kill9().await;
        seen.extend(stream.rest().await);
        kills += 1;
        server.restart().await;
    }
    assert_eq!(kills, KILLS, "the turn ended before it was killed often enough");
    let history = server.history(&chat).await;
    assert!(seen == history, "what readers saw over all the kills is not the record");
    assert!(history.last().unwrap().is("chat.turn_completed"));
    assert_whole(&history);
    for event in named(&history, "chat.tool_call_completed") {
        assert_eq!(event.payload()["result"]["outcome"], "ok", "{}", event.data);
    }
    let mut effects = lines(&server.workspace_directory().await.join("effects"));
    effects.sort();
    let mut all: Vec<String> = (0..STEPS).flat_map(|step| (0..2).map(move |call| format!("{step}.{call}"))).collect();
    all.sort();
    assert_eq!(effects, all);
    assert_dense(&server.whole_log().await);
    let now = server.client().get(&format!("/chats/{chat}")).await.ok();
    assert_eq!(now["chat"]["status"], "waiting");
    for message in now["messages"].as_array().unwrap() {
        for call in message["parts"].as_array().unwrap().iter().filter(|part| part["type"] == "tool_call") {
            let streamed_only = message["state"] == "failed";
            assert!(streamed_only || call["state"] == "completed", "{call}");
        }
    }
}
