//! Chats that stream through the real control plane while its database breaks.

use crate::{fill::fill, plane::Plane, tally::tally};
use docket_tests::{
    own_postgres::OwnPostgres,
    proxy::Proxy,
    server::{Backend, Server, text},
};
use serde_json::json;
use std::fs::File;

async fn on(port: u16) -> Server {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let mut server = Server::prepare(Backend::Sqlite, &[]).on(url);
    server.restart().await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_go_on_after_a_restart_of_postgres() {
    const ROUNDS: usize = 3;
    let mut postgres = OwnPostgres::start();
    let proxy = Proxy::start(postgres.port()).await;
    let server = on(proxy.port()).await;
    let plane = Plane::start(&server).await;
    for round in 0..ROUNDS {
        plane.gets_on(100).await;
        postgres.stop(if round % 2 == 0 { "immediate" } else { "fast" });
        let wrong = plane.says_what_is_wrong().await;
        assert!(wrong.contains("the log"), "{wrong}");
        postgres.restart();
        proxy.lead_to(postgres.port());
        plane.gets_well().await;
    }
    plane.gets_on(100).await;
    let compared = plane.compare(&server).await;
    let more = format!("{} prompts, {} connections", compared.prompts, compared.connections);
    tally("restarted, end to end", (ROUNDS, ROUNDS), (compared.events, 2_000), more);
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_go_on_while_connections_are_cut() {
    const CUTS: usize = 120;
    let postgres = OwnPostgres::start();
    let proxy = Proxy::start(postgres.port()).await;
    let server = on(proxy.port()).await;
    let plane = Plane::start(&server).await;
    plane.gets_on(50).await;
    proxy.cut_after(Some(1..20_000));
    let total = || proxy.cuts().0 + proxy.cuts().1;
    docket_tests::server::until("so many cuts", || total() >= CUTS).await;
    let cuts = total();
    proxy.cut_after(None);
    plane.gets_well().await;
    plane.gets_on(50).await;
    let compared = plane.compare(&server).await;
    let more = format!("{} prompts, {} connections", compared.prompts, compared.connections);
    tally("cut, end to end", (cuts, CUTS), (compared.events, 1_000), more);
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_go_on_at_the_replica() {
    let primary = OwnPostgres::start();
    let standby = primary.standby();
    let proxy = Proxy::start(primary.port()).await;
    let server = on(proxy.port()).await;
    let plane = Plane::start(&server).await;
    plane.gets_on(100).await;
    primary.stop("immediate");
    let wrong = plane.says_what_is_wrong().await;
    assert!(wrong.contains("the log"), "{wrong}");
    standby.promote();
    proxy.lead_to(standby.port());
    plane.gets_well().await;
    plane.gets_on(100).await;
    let compared = plane.compare(&server).await;
    let more = format!("{} prompts, {} connections", compared.prompts, compared.connections);
    tally("failover, end to end", (1, 1), (compared.events, 1_000), more);
}

/// The log and the views lie on one disk, which fills up and is freed.
#[tokio::test(flavor = "multi_thread")]
async fn chats_go_on_after_the_disk_was_full() {
    const ROUNDS: usize = 3;
    let mut server = Server::prepare(Backend::Sqlite, &[]).on_small_disk(96 << 20);
    server.restart().await;
    let chat = server.chat("@say Hello.").await;
    let plane = Plane::start(&server).await;
    let ballast = server.data_dir_from_here().join("ballast");
    for _ in 0..ROUNDS {
        plane.gets_on(100).await;
        fill(&mut File::create(&ballast).unwrap());
        let wrong = plane.says_what_is_wrong().await;
        assert!(wrong.contains("full"), "{wrong}");
        // There may be room for some more; then a request is told why it is refused.
        let (code, detail) = loop {
            let body = json!({ "content": text("@say Yes.") });
            let answer = server.client().post(&format!("/chats/{chat}/messages"), &body).await;
            if answer.status >= 300 {
                break answer.problem(503);
            }
        };
        assert!(code == "log_unavailable" && detail.contains("full"), "{code}: {detail}");
        std::fs::remove_file(&ballast).unwrap();
        plane.gets_well().await;
    }
    plane.gets_on(100).await;
    let compared = plane.compare(&server).await;
    let (prompts, problems) = (compared.prompts, compared.problems.len());
    let more = format!("{prompts} prompts, {problems} different problems, {} connections", compared.connections);
    tally("disk full, end to end", (ROUNDS, ROUNDS), (compared.events, 2_000), more);
}
