//! Four processes on one Postgres, sixty-four producers, and readers that go away and come back all the time, while one process
//! after the other is frozen. What each of them did and saw, with the time at which it began and ended, has to fit one list.

mod child;
mod judge;
mod report;

use crate::{
    child::{Process, command},
    tally::tally,
};
use docket_tests::{fixture::Fixture, sse::DEADLINE};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use report::Report;
use rustix::process::Signal;
use std::time::Instant;

const PROCESSES: usize = 4;
const PRODUCERS: usize = 16;
/// Commands that every process sends, and that are applied once.
const COMMANDS: u64 = 200;
const URL: &str = "DOCKET_TEST_LINEAR_URL";
const REPORT: &str = "DOCKET_TEST_LINEAR_REPORT";
const NUMBER: &str = "DOCKET_TEST_LINEAR_NUMBER";
/// How many events there are in all, about; the gate asks for a million.
const EVENTS: &str = "DOCKET_TEST_LINEAR_EVENTS";

/// Events that each producer appends.
fn share() -> u64 {
    let all = std::env::var(EVENTS).map_or(200_000, |events| events.parse().unwrap());
    u64::div_ceil(all, (PROCESSES * PRODUCERS) as u64)
}

/// Events that the log has in the end.
fn total() -> u64 {
    share() * (PROCESSES * PRODUCERS) as u64 + COMMANDS
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_make_one_list() {
    let (fixture, folder) = (Fixture::postgres(), tempfile::tempdir().unwrap());
    let log = fixture.open().await;
    let path = |number: usize| folder.path().join(number.to_string());
    let mut children: Vec<Process> = (0..PROCESSES)
        .map(|number| {
            let mut command = command("linear::child::child");
            command.env(URL, fixture.url().to_string()).env(REPORT, path(number)).env(NUMBER, number.to_string());
            Process::start(&mut command)
        })
        .collect();

    let (mut random, mut freezes, deadline) = (SmallRng::seed_from_u64(1), 0, Instant::now() + DEADLINE);
    while children.iter_mut().any(|child| child.ended().is_none()) {
        let head = log.head().await.unwrap();
        if head > 0 && head < total() * 7 / 10 {
            // Until the others have got on without it; three quarters of it all is theirs.
            let frozen = &mut children[random.random_range(0..PROCESSES)];
            frozen.signal(Signal::STOP);
            while log.head().await.unwrap() < head + total() / 50 {
                assert!(Instant::now() < deadline, "frozen, and nobody gets on");
            }
            frozen.signal(Signal::CONT);
            freezes += 1;
        }
        assert!(Instant::now() < deadline, "the processes do not end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for child in &mut children {
        assert!(child.ended().unwrap().success());
    }
    let reports: Vec<Report> = (0..PROCESSES).map(|number| Report::read(&path(number))).collect();
    let judged = judge::judge(&log, &reports).await;
    tally("linear", (freezes, 10), (judged.compared, 5 * total() as usize), &judged);
    assert!(judged.conflicts > 100 && judged.repeated > 3 * COMMANDS as usize && judged.reconnections > 100);
}
