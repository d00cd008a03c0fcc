//! A control plane that dies and comes back.

use crate::support::{DaemonProcess, Plane, command, eventually, key};
use docket_workspaces::CallError;
use std::{
    fs,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_comes_back_and_its_command_never_noticed() {
    let mut plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let process = DaemonProcess::start(&plane, &token);
    let daemon = plane.daemon(workspace).await;
    let key = key();
    let run = command("echo x >> count; while [ ! -e go ]; do sleep 0.02; done; echo done", 60_000);
    let (first_key, first) = (key.clone(), run.clone());
    let call = tokio::spawn(async move { daemon.start_process(&first_key, &first).await });
    eventually("the effect", async || process.dir().join("count").exists().then_some(())).await;
    plane.die();
    call.abort();
    plane.restart().await;
    let begun = Instant::now();
    plane.daemon(workspace).await.ping().await.unwrap();
    let back = begun.elapsed();
    println!("back {back:?} after the control plane's restart");
    assert!(back < Duration::from_secs(5), "{back:?}");
    fs::write(process.dir().join("go"), "").unwrap();
    let done = plane.ask(workspace, async |daemon| daemon.start_process(&key, &run).await).await.unwrap();
    assert_eq!((done.exit_code, done.output.as_str()), (Some(0), "done\n"));
    assert_eq!(fs::read_to_string(process.dir().join("count")).unwrap(), "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_every_time_and_stays() {
    let mut plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let _process = DaemonProcess::start(&plane, &token);
    plane.daemon(workspace).await.ping().await.unwrap();
    for round in 0..std::env::var("STRESS").map_or(4, |n| n.parse().unwrap()) {
        if round % 2 == 0 {
            plane.die();
        } else {
            plane.stop().await;
        }
        plane.restart().await;
        let begun = Instant::now();
        plane.daemon(workspace).await.ping().await.unwrap();
        println!("round {round}: back after {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    // Longer than any timeout of a heartbeat: no flapping.
    let connected = plane.records().len();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        plane.daemon(workspace).await.ping().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(plane.records().len(), connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_control_plane_ends_what_is_under_way_at_once() {
    let mut plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let _process = DaemonProcess::start(&plane, &token);
    let daemon = plane.daemon(workspace).await;
    let call = tokio::spawn(async move {
        daemon.start_process(&key(), &command("touch alive; while [ -e alive ]; do sleep 0.02; done", 600_000)).await
    });
    let daemon = plane.daemon(workspace).await;
    eventually("the command", async || (daemon.metadata().await.unwrap().running == 1).then_some(())).await;
    let begun = Instant::now();
    plane.stop().await;
    assert!(matches!(call.await.unwrap(), Err(CallError::Disconnected { .. })));
    println!("stopped after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
