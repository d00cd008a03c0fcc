//! Memory stays flat, whatever a command prints and however slowly a client reads.

use crate::record::{assert_whole, streamed};
use docket_tests::{
    model_server::{ModelServer, Script},
    processes::{command_line, of, resident_kib},
    server::{Backend, Server},
    sse::Event,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Generous: a fault that holds what passes through would take several times as much.
const MAY_GROW_KIB: u64 = 160 * 1024;

/// The highest that the memory of each process was seen at, over what it was first seen at.
#[derive(Default)]
struct Growth(BTreeMap<u32, (u64, u64)>);

impl Growth {
    fn look(&mut self, pids: impl IntoIterator<Item = u32>) {
        for pid in pids {
            let now = resident_kib(pid);
            let (_, highest) = self.0.entry(pid).or_insert((now, now));
            *highest = now.max(*highest);
        }
    }

    fn assert_flat(&self) {
        for (pid, (first, highest)) in &self.0 {
            assert!(highest - first < MAY_GROW_KIB, "process {pid} grew from {first} to {highest} KiB");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_prints_a_gigabyte() {
    let model = ModelServer::start().await;
    let server = Server::with_model(Backend::Sqlite, &model).await;
    let execute = json!({ "command": "head -c 1000000000 /dev/zero | tr '\\0' x", "timeout": "1h" });
    model.then(Script::call(&[("create_workspace", json!({ "template_id": server.template().await }))]));
    model.then(Script::call(&[("execute", execute)]));
    let chat = server.chat("Print much.").await;
    let mut stream = server.events(&chat, Some(0)).await;
    let mut history = stream.until(|event| event.is("chat.tool_call_completed")).await;
    let mut growth = Growth::default();
    let rest = stream.until(Event::ends_turn);
    tokio::pin!(rest);
    let mut daemons = 0;
    loop {
        tokio::select! {
            events = &mut rest => {
                history.extend(events);
                break;
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {
                let inside = of(&server.data_dir()).into_iter().filter(|pid| command_line(*pid).contains("docket"));
                let pids: Vec<u32> = inside.collect();
                daemons = daemons.max(pids.len());
                growth.look(pids);
            }
        }
    }
    assert!(daemons >= 3, "the server, the daemon and the command's supervisor were looked at: {daemons}");
    growth.assert_flat();
    assert_whole(&history);
    let body = model.bodies().pop().unwrap();
    let answer = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    assert!(answer.contains("\"original_bytes\":1000000000"), "{}", &answer[answer.len() - 300..]);
    assert!(answer.len() < 64 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_stalls_while_twenty_thousand_tokens_come() {
    const TOKENS: usize = 20_000;
    let model = ModelServer::start().await;
    let server = Server::with_model(Backend::Sqlite, &model).await;
    // Once in small, so that what is made once is not counted.
    model.then(Script::tokens((0..500).map(|n| format!("warm{n} "))));
    let chat = server.chat("Warm up.").await;
    let warm = server.turns(&chat, 1).await.last().unwrap().position();

    let mut growth = Growth::default();
    growth.look([server.pid()]);
    model.then(Script::tokens((0..TOKENS).map(|n| format!("word{n} "))));
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(server.events(&chat, Some(warm)).await);
    }
    server.say(&chat, "Say much.", "turn_end").await;
    let mut begun = Vec::new();
    for stream in &mut slow {
        begun.push(stream.next().await.unwrap());
    }
    let mut quick = server.events(&chat, Some(warm)).await;
    let mut all = Vec::new();
    loop {
        let event = quick.next().await.unwrap();
        if event.position() % 500 == 0 {
            growth.look([server.pid()]);
        }
        let ends = event.ends_turn();
        all.push(event);
        if ends {
            break;
        }
    }
    growth.look([server.pid()]);
    growth.assert_flat();
    assert_eq!(streamed(&all).len(), TOKENS);
    // Who stalled has lost nothing.
    for (mut stream, first) in slow.into_iter().zip(begun) {
        let mut events = vec![first];
        events.extend(stream.until(Event::ends_turn).await);
        assert!(events == all, "a slow reader got something else than a quick one");
    }
}
