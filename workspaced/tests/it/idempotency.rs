//! One effect for each key.

use crate::support::{DaemonProcess, Local, Plane, code, command, eventually, key};
use docket_wire::file::{Edit, EditFiles, WriteFile};
use docket_workspaces::CallError;
use std::fs;

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_has_no_effect() {
    let local = Local::new();
    let (write_key, run_key) = (key(), key());
    let write = WriteFile { path: "a".into(), content: "1".into() };
    let first = local.daemon.write_file(&write_key, &write).await.unwrap();
    local.put("a", "changed by hand");
    let run = command("echo x >> count; cat count", 20_000);
    let ran = local.daemon.start_process(&run_key, &run).await.unwrap();
    for local in [&local, &local.reopened()] {
        assert_eq!(local.daemon.write_file(&write_key, &write).await.unwrap(), first);
        assert_eq!(local.get("a"), "changed by hand");
        assert_eq!(local.daemon.start_process(&run_key, &run).await.unwrap(), ran);
        assert_eq!(local.get("count"), "x\n");
    }
}

#[tokio::test]
async fn a_failure_is_repeated_too() {
    let local = Local::new();
    let key = key();
    let edit = Edit { path: "a".into(), old_text: "x".into(), new_text: "y".into(), replace_all: false };
    let edits = EditFiles { edits: vec![edit] };
    assert_eq!(code(local.daemon.edit_files(&key, &edits).await), "not_found");
    local.put("a", "x");
    assert_eq!(code(local.daemon.edit_files(&key, &edits).await), "not_found");
    assert_eq!(local.get("a"), "x");
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let local = Local::new();
    let key = key();
    let write = |content: &str| WriteFile { path: "a".into(), content: content.into() };
    local.daemon.write_file(&key, &write("1")).await.unwrap();
    assert_eq!(code(local.daemon.write_file(&key, &write("2")).await), "key_reused");
    assert_eq!(code(local.daemon.start_process(&key, &command("true", 0)).await), "key_reused");
    assert_eq!(local.get("a"), "1");
    for bad in ["", "a b", &"k".repeat(201)] {
        assert_eq!(code(local.daemon.write_file(bad, &write("3")).await), "key_required");
    }
}

#[tokio::test]
async fn repeats_at_one_time_share_one_effect() {
    let local = Local::new();
    let key = key();
    let run = command("echo x >> count; while [ ! -e go ]; do sleep 0.02; done; wc -l < count", 60_000);
    let mut calls = Vec::new();
    for _ in 0..8 {
        let (daemon, key, run) = (local.daemon.clone(), key.clone(), run.clone());
        calls.push(tokio::spawn(async move { daemon.start_process(&key, &run).await.unwrap() }));
    }
    eventually("the effect", async || local.dir.join("count").exists().then_some(())).await;
    assert_eq!(code(local.daemon.start_process(&key, &command("other", 0)).await), "key_reused");
    local.put("go", "");
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.output.trim() == "1"), "{answers:?}");
}

#[tokio::test]
async fn a_lost_stream_does_not_break_the_effect() {
    let local = Local::new();
    let key = key();
    let run = command("echo x >> count; while [ ! -e go ]; do sleep 0.02; done; echo done", 60_000);
    let (daemon, first_key, first) = (local.daemon.clone(), key.clone(), run.clone());
    let call = tokio::spawn(async move { daemon.start_process(&first_key, &first).await });
    eventually("the effect", async || local.dir.join("count").exists().then_some(())).await;
    call.abort();
    local.put("go", "");
    let done = local.daemon.start_process(&key, &run).await.unwrap();
    assert_eq!((done.output.as_str(), local.get("count").as_str()), ("done\n", "x\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_answers_the_repeat_with_the_one_result() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    let daemon = plane.daemon(workspace).await;
    let key = key();
    let run = command("echo x >> count; while [ ! -e go ]; do sleep 0.02; done; echo done; exit 7", 60_000);
    let (first_key, first) = (key.clone(), run.clone());
    let call = tokio::spawn(async move { daemon.start_process(&first_key, &first).await });
    eventually("the effect", async || process.dir().join("count").exists().then_some(())).await;
    process.kill();
    assert!(matches!(call.await.unwrap(), Err(CallError::Disconnected { .. })));
    fs::write(process.dir().join("go"), "").unwrap();
    process.restart();
    let done = plane.ask(workspace, async |daemon| daemon.start_process(&key, &run).await).await.unwrap();
    assert_eq!((done.exit_code, done.output.as_str()), (Some(7), "done\n"));
    process.restart();
    let again = plane.ask(workspace, async |daemon| daemon.start_process(&key, &run).await).await;
    assert_eq!(again.unwrap(), done);
    assert_eq!(fs::read_to_string(process.dir().join("count")).unwrap(), "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_nobody_saw_is_unknown_and_stays_so() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    let daemon = plane.daemon(workspace).await;
    let key = key();
    // The command ends its own supervisor: what a crash of the machine would do.
    let run = command("echo x >> count; touch alive; kill -9 $PPID; while [ -e alive ]; do sleep 0.02; done", 60_000);
    let answer = daemon.start_process(&key, &run).await;
    assert_eq!(answer, Err(CallError::OutcomeUnknown));
    assert_eq!(daemon.start_process(&key, &run).await, Err(CallError::OutcomeUnknown));
    process.restart();
    let again = plane.ask(workspace, async |daemon| daemon.start_process(&key, &run).await).await;
    assert_eq!(again, Err(CallError::OutcomeUnknown));
    assert_eq!(fs::read_to_string(process.dir().join("count")).unwrap(), "x\n");
}

/// A daemon was killed after it had recorded the request; its supervisor comes late, or never.
#[tokio::test]
async fn of_several_supervisors_one_begins() {
    use docket_workspaced::{
        calls::Call,
        process::record::{Record, Requested, now_ms},
    };
    let first = Local::new();
    for late in 0..4 {
        let (key, count) = (key(), format!("count{late}"));
        let run = command(&format!("echo x >> {count}; sleep 0.2; cat {count}"), 60_000);
        let call = Call::new(Some(&key), "processes", &run).unwrap();
        let record = Record::at(first.state.join("processes").join(&call.name[..16]));
        let (request, workdir) = (call.request.clone(), first.dir.clone());
        record.create(&Requested { request, start: run.clone(), workdir, at_ms: now_ms(), confinement: None }).unwrap();
        let local = first.reopened();
        let supervise = || {
            let mut command = std::process::Command::new(crate::support::binary());
            command.arg("supervise").arg(record.dir()).stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let others: Vec<_> = (0..late).map(|_| supervise()).collect();
        assert_eq!(
            code(local.daemon.write_file(" ", &WriteFile { path: "a".into(), content: String::new() }).await),
            "key_required"
        );
        let done = local.daemon.start_process(&key, &run).await.unwrap();
        assert_eq!((done.exit_code, done.output.as_str()), (Some(0), "x\n"));
        others.into_iter().for_each(|mut other| assert!(other.wait().unwrap().success()));
        assert_eq!(local.get(&count), "x\n");
    }
}
