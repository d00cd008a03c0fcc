//! A clock that is stepped back and forth while events are appended: it decides nothing.

use crate::{
    child::{Process, command},
    preload::Preload,
    tally::tally,
};
use docket_eventlog::{DatabaseUrl, Filter, Log, Options};
use docket_tests::{
    fixture::{append, assert_sound, chat},
    own_postgres::OwnPostgres,
    sse::DEADLINE,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{fs, path::Path, time::Instant};

const STEPS: usize = 40;
const APPENDS: usize = 10;
const HOUR: i64 = 3_600_000_000;
const URL: &str = "DOCKET_TEST_CLOCK_URL";
const CLOCK: &str = "DOCKET_CLOCK";

/// Steps the clock and appends, over and over. Positions are those of the appends' order, whatever the clock says, and the time
/// that is recorded never decreases.
async fn stepped(url: &DatabaseUrl, clock: &Path, what: &str) {
    let log = Log::open(url, Options::default()).await.unwrap();
    let (mut random, mut subscription, mut number) = (SmallRng::seed_from_u64(3), log.subscribe(0, Filter::all()), 0);
    let mut back = 0;
    for step in 0..STEPS {
        // The first is a long way ahead, so that most are behind it.
        let shift = if step == 0 { 3 * HOUR } else { random.random_range(-3 * HOUR..=4 * HOUR) };
        fs::write(clock, format!("{shift}\n")).unwrap();
        back += usize::from(shift < 3 * HOUR);
        for _ in 0..APPENDS {
            number += 1;
            let appended = log.append(append(&chat(number % 3), number.to_string())).await.unwrap();
            assert_eq!(appended.last_position, number);
        }
    }
    let events = assert_sound(&log).await;
    assert!((1..).zip(&events).all(|(number, event): (u64, _)| event.payload == number.to_string()));
    let ahead = events.last().unwrap().recorded_at - events[0].recorded_at;
    assert!(ahead > 0 && ahead < 2 * HOUR, "the clock went to at most an hour ahead of its first step: {ahead}");
    let still = events.windows(2).filter(|pair| pair[0].recorded_at == pair[1].recorded_at).count();
    assert!(still > events.len() / 2, "the recorded time stands still while the clock is behind: {still}");
    let mut seen = Vec::new();
    while seen.len() < events.len() {
        seen.extend(subscription.next().await.unwrap().events);
    }
    assert_eq!(seen, events);
    log.close().await;
    tally(&format!("clock, {what}"), (back, STEPS / 2), (2 * events.len(), 2 * STEPS * APPENDS), format!("{STEPS} steps"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stepped_on_postgres() {
    let preload = Preload::build();
    let clock = preload.file("clock");
    fs::write(&clock, "0\n").unwrap();
    let postgres = OwnPostgres::with(&[("LD_PRELOAD", &preload.library()), (CLOCK, &clock.display().to_string())]);
    let url = DatabaseUrl::Postgres(format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port()));
    stepped(&url, &clock, "Postgres").await;
}

/// The process itself has the clock, so it is a child.
#[tokio::test(flavor = "multi_thread")]
async fn stepped_on_sqlite() {
    let (preload, folder) = (Preload::build(), tempfile::tempdir().unwrap());
    let clock = preload.file("clock");
    fs::write(&clock, "0\n").unwrap();
    let mut command = command("clock::child");
    command.env("LD_PRELOAD", preload.library()).env(CLOCK, &clock);
    command.env(URL, format!("sqlite:{}", folder.path().join("log.db").display()));
    let (mut child, deadline) = (Process::start(&mut command), Instant::now() + DEADLINE);
    let status = loop {
        if let Some(status) = child.ended() {
            break status;
        }
        assert!(Instant::now() < deadline, "the child does not end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(status.success());
    let log = Log::open(&DatabaseUrl::Sqlite(folder.path().join("log.db")), Options::default()).await.unwrap();
    assert_eq!(assert_sound(&log).await.len(), STEPS * APPENDS);
}

/// What the child runs. Without a log it is none, and nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    stepped(&url.parse().unwrap(), Path::new(&std::env::var(CLOCK).unwrap()), "SQLite").await;
}
