//! Who may connect.

use crate::support::{DaemonProcess, Plane, Record, eventually};
use docket_wire::{bootstrap::BootstrapRequest, endpoint};
use docket_workspaces::{BootstrapError, PathKind};
use iroh::{SecretKey, Watcher};
use std::time::{Duration, Instant};

fn ask(key: &SecretKey, token: Option<&str>) -> BootstrapRequest {
    let public_key = key.public().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    BootstrapRequest { token: token.map(str::to_owned), public_key, run: "r".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_enrols_one_key_and_then_the_key_is_enough() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    let begun = Instant::now();
    plane.daemon(workspace).await.ping().await.unwrap();
    let memory = crate::processes::status_kib(process.pid(), "VmRSS").unwrap();
    println!("a new daemon was usable after {:?} and has {memory} KiB in memory", begun.elapsed());
    assert!(!process.state().join("token").exists(), "the used token is deleted");
    assert_eq!(plane.records(), [Record::Connected(workspace, PathKind::Relay)]);
    process.restart();
    eventually("the restarted daemon", async || {
        plane.daemon(workspace).await.metadata().await.ok().filter(|metadata| metadata.uptime_ms < 5_000)
    })
    .await;
    let other = SecretKey::generate();
    assert_eq!(plane.hub().bootstrap(ask(&other, Some(&token))).await, Err(BootstrapError::UnknownToken));
    assert_eq!(plane.hub().bootstrap(ask(&other, None)).await, Err(BootstrapError::UnknownKey));
    let mut malformed = ask(&other, None);
    malformed.public_key.push('0');
    assert_eq!(plane.hub().bootstrap(malformed).await, Err(BootstrapError::Invalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_refuses_strangers() {
    let plane = Plane::start().await;
    let (token, _) = plane.token();
    let known = SecretKey::generate();
    let answer = plane.hub().bootstrap(ask(&known, Some(&token))).await.unwrap();
    // A stranger with a token of its own making, and one with a token that was stolen.
    for stolen in ["made-up", answer.relay_token.as_str()] {
        let stranger = endpoint::builder(SecretKey::generate(), plane.url().parse().unwrap(), stolen).bind().await.unwrap();
        let mut status = stranger.home_relay_status();
        let reason = eventually("a denial", async || {
            status.get().iter().find_map(|relay| relay.auth_denied_reason().map(str::to_owned))
        })
        .await;
        assert_eq!(reason, "bad token");
        let peer = iroh::EndpointAddr::new(answer.endpoint_id.parse().unwrap()).with_relay_url(plane.url().parse().unwrap());
        let dialled = tokio::time::timeout(Duration::from_secs(1), stranger.connect(peer, endpoint::ALPN)).await;
        assert!(!matches!(dialled, Ok(Ok(_))));
        stranger.close().await;
    }
    let friend = endpoint::builder(known, plane.url().parse().unwrap(), &answer.relay_token).bind().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), friend.online()).await.unwrap();
    friend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_is_noticed_soon() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    plane.daemon(workspace).await.ping().await.unwrap();
    process.kill();
    let begun = Instant::now();
    eventually("the disconnection", async || (!plane.hub().is_connected(workspace)).then_some(())).await;
    println!("a killed daemon was noticed after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(4));
    eventually("the record", async || matches!(plane.records().last(), Some(Record::Disconnected(..))).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_workspaces_daemon_ends() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    plane.daemon(workspace).await.ping().await.unwrap();
    plane.delete(workspace);
    plane.hub().forget(workspace).await;
    let status = eventually("the daemon's end", async || process.ended()).await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_daemon_is_reported_and_the_newer_one_stays() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let first = DaemonProcess::start(&plane, &token);
    plane.daemon(workspace).await.ping().await.unwrap();
    let second = first.copy();
    eventually("the report", async || plane.records().contains(&Record::Duplicated(workspace)).then_some(())).await;
    eventually("the first one's retreat", async || {
        first.log().contains("another daemon uses this workspace's key").then_some(())
    })
    .await;
    eventually("the second one's answer", async || {
        let metadata = plane.daemon(workspace).await.metadata().await.ok()?;
        metadata.directory.starts_with(second.temp.path().to_str()?).then_some(())
    })
    .await;
    let reports = plane.records().iter().filter(|record| matches!(record, Record::Duplicated(_))).count();
    assert_eq!(reports, 1, "no flapping: {:?}", plane.records());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_serves_the_relay_the_probe_and_the_router() {
    let mut plane = Plane::start().await;
    let get = async |path: &str| {
        let response = reqwest::get(format!("{}{path}", plane.url())).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    assert_eq!(get("/hello").await, (200, "router".to_owned()));
    assert_eq!(get("/ping").await.0, 200);
    assert_eq!(get("/relay").await.0, 400, "no upgrade was asked for");
    assert_eq!(get("/other").await.0, 404);
    let url = format!("{}{}", plane.url(), docket_wire::bootstrap::PATH);
    let refused = reqwest::Client::new().post(&url).body("{}").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 400);
    plane.stop().await;
    assert!(reqwest::get(url).await.is_err());
}
