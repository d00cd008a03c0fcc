//! A Postgres that goes away under load: restarted, out of reach at any byte, replaced by its replica.

use crate::{fill::fill, load::Load, tally::tally};
use docket_eventlog::{DatabaseUrl, Log, Options};
use docket_tests::{own_postgres::OwnPostgres, proxy::Proxy};
use sqlx::{Connection, PgConnection};
use std::{fs::File, time::Duration};

async fn open(port: u16) -> Log {
    let url = DatabaseUrl::Postgres(format!("postgres://postgres@127.0.0.1:{port}/postgres"));
    Log::open(&url, Options::default()).await.unwrap()
}

async fn logs(count: usize, port: u16) -> Vec<Log> {
    let mut logs = Vec::new();
    for _ in 0..count {
        logs.push(open(port).await);
    }
    logs
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_under_load() {
    const ROUNDS: usize = 6;
    let mut postgres = OwnPostgres::start();
    let proxy = Proxy::start(postgres.port()).await;
    let logs = logs(2, proxy.port()).await;
    let load = Load::start(&logs, 6);
    for round in 0..ROUNDS {
        load.gets_on(40).await;
        postgres.stop(if round % 2 == 0 { "immediate" } else { "fast" });
        postgres.restart();
        proxy.lead_to(postgres.port());
    }
    load.gets_on(40).await;
    let compared = load.compare(&open(postgres.port()).await).await;
    tally("restarted", (ROUNDS, ROUNDS), (compared.events, 4_000), format!("{compared:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_at_any_byte() {
    const CUTS: usize = 1_000;
    let postgres = OwnPostgres::start();
    let proxy = Proxy::start(postgres.port()).await;
    // Each has a writer that is cut, and pauses before it connects again: with more of them there are more cuts in the same time.
    let logs = logs(8, proxy.port()).await;
    let load = Load::start(&logs, 6);
    load.gets_on(5).await;
    // From the greeting to a few batches.
    proxy.cut_after(Some(1..12_000));
    let total = || proxy.cuts().0 + proxy.cuts().1;
    let wait = async {
        while total() < CUTS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(docket_tests::sse::DEADLINE, wait).await.expect("so many cuts");
    let (requests, answers) = proxy.cuts();
    proxy.cut_after(None);
    load.gets_on(10).await;
    let compared = load.compare(&open(postgres.port()).await).await;
    assert!(requests > CUTS / 20 && answers > CUTS / 20, "{requests} requests and {answers} answers were cut");
    let more = format!("{requests} requests and {answers} answers were cut; {compared:?}");
    tally("cut", (requests + answers, CUTS), (compared.events, 8_000), more);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_by_its_replica() {
    const ROUNDS: usize = 2;
    let mut primary = OwnPostgres::start();
    let proxy = Proxy::start(primary.port()).await;
    let logs = logs(2, proxy.port()).await;
    let load = Load::start(&logs, 6);
    for _ in 0..ROUNDS {
        let standby = primary.standby();
        synchronous(primary.port()).await;
        load.gets_on(40).await;
        primary.stop("immediate");
        standby.promote();
        proxy.lead_to(standby.port());
        // The replica is a server of its own now, and does not wait for another.
        primary = standby;
        load.gets_on(40).await;
    }
    let compared = load.compare(&open(primary.port()).await).await;
    tally("failover", (ROUNDS, ROUNDS), (compared.events, 1_000), format!("{compared:?}"));
}

/// Waits until commits wait for the replica.
async fn synchronous(port: u16) {
    let pool = sqlx::PgPool::connect(&format!("postgres://postgres@127.0.0.1:{port}/postgres")).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pool.close().await;
}

/// The log's tables lie on a file system that fills up and is freed.
#[tokio::test(flavor = "multi_thread")]
async fn its_disk_full() {
    const ROUNDS: usize = 3;
    let postgres = OwnPostgres::with_small_disk(40 << 20);
    let url = format!("postgres://postgres@127.0.0.1:{}", postgres.port());
    let mut connection = PgConnection::connect(&format!("{url}/postgres")).await.unwrap();
    let space = postgres.small().join("space");
    let create = format!("CREATE TABLESPACE small LOCATION '{}'", space.display());
    sqlx::raw_sql(&create).execute(&mut connection).await.unwrap();
    sqlx::raw_sql("CREATE DATABASE small TABLESPACE small").execute(&mut connection).await.unwrap();
    let open = async || Log::open(&DatabaseUrl::Postgres(format!("{url}/small")), Options::default()).await.unwrap();
    let logs = [open().await, open().await];
    let load = Load::start(&logs, 6);
    let ballast = postgres.small_from_here().join("ballast");
    for _ in 0..ROUNDS {
        load.gets_on(40).await;
        let before = logs.each_ref().map(|log| log.stats().failed);
        fill(&mut File::create(&ballast).unwrap());
        let failed = || logs.iter().zip(before).all(|(log, before)| log.stats().failed > before + 10);
        docket_tests::server::until("appends fail", failed).await;
        std::fs::remove_file(&ballast).unwrap();
    }
    load.gets_on(40).await;
    let compared = load.compare(&open().await).await;
    assert!(compared.refused > 20, "{compared:?}");
    tally("disk full, Postgres", (ROUNDS, ROUNDS), (compared.events, 2_000), format!("{compared:?}"));
}
