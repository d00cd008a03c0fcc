//! A process that is killed (`kill -9`) while it appends: this test's own program, started again as a child.

use crate::{
    counter::context,
    fixture::*,
    ledger::Ledger,
    snapshots::{entry, folded, loaded},
};
use docket_domain::Metadata;
use docket_eventlog::{Aggregates, Log, Options};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};
use uuid::Uuid;

on_both! { what_was_acknowledged_is_there_after_a_kill }

const URL: &str = "DOCKET_TEST_LOG_OF_THE_KILLED";
const MARK: &str = "acknowledged ";

/// What the child runs, until it is killed or nobody reads what it says. Without a log it is no child, and nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let log = Log::open(&url.parse().unwrap(), Options::default()).await.unwrap();
    let round = Uuid::now_v7();
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let log = log.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0u64.. {
                let payload = format!("\"{round}/{writer}/{number}\"");
                let appended = log.append(append(&chat(writer % 2), &payload)).await.unwrap();
                say(&format!("event {} {payload}", appended.last_position));
            }
        }));
    }
    let ledgers = Aggregates::<Ledger<1>>::new(log.clone()).snapshot_every(3);
    for id in 1..=2u128 {
        let ledgers = ledgers.clone();
        tasks.push(tokio::spawn(async move {
            let context = context();
            for number in 0i64.. {
                let execute =
                    ledgers.execute(Uuid::from_u128(id), None, Metadata::system(), &context, vec![entry(number)], Vec::new());
                say(&format!("ledger {id} {}", execute.await.unwrap().sequence));
            }
        }));
    }
    futures_util::future::select_all(tasks).await.0.unwrap();
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{line}").unwrap();
}

/// Not left running, however the test ends.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a child.
pub fn run(url: &str) -> (Killed, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::child", "--nocapture"]).env(URL, url);
    let mut child = Killed(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let output = BufReader::new(child.0.stdout.take().unwrap());
    (child, output)
}

/// The next that a child says of what was acknowledged. None when it has ended.
pub fn said(output: &mut BufReader<ChildStdout>) -> Option<String> {
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some((_, text)) = line.strip_suffix('\n').and_then(|line| line.split_once(MARK)) {
            return Some(text.to_owned());
        }
    }
}

/// Runs a child, kills it after so many lines, and gives all that it said.
fn run_and_kill(url: &str, lines: usize) -> Vec<String> {
    let (mut child, mut output) = run(url);
    let mut all = Vec::new();
    while let Some(line) = said(&mut output) {
        all.push(line);
        if all.len() == lines {
            child.0.kill().unwrap();
        }
    }
    assert!(all.len() >= lines, "the child ended by itself");
    all
}

async fn what_was_acknowledged_is_there_after_a_kill(fixture: Fixture) {
    let mut random = SmallRng::seed_from_u64(7);
    let (mut events, mut ledgers) = (HashMap::new(), HashMap::new());
    let mut used = 0;
    for _ in 0..5 {
        let (url, lines) = (fixture.url().to_string(), random.random_range(1..150));
        for line in tokio::task::spawn_blocking(move || run_and_kill(&url, lines)).await.unwrap() {
            let fields: Vec<_> = line.splitn(3, ' ').collect();
            match fields[..] {
                ["event", position, payload] => {
                    events.insert(position.parse::<u64>().unwrap(), payload.to_owned());
                }
                ["ledger", id, sequence] => {
                    ledgers.insert(id.parse::<u128>().unwrap(), sequence.parse::<u64>().unwrap());
                }
                _ => panic!("{line}"),
            }
        }
        gone(&fixture).await;
        let log = fixture.open().await;
        let recorded = assert_sound(&log).await;
        for (position, payload) in &events {
            assert_eq!(recorded[*position as usize - 1].payload, *payload, "{position}");
        }
        let appended: Vec<_> = recorded.iter().filter(|event| &*event.stream.aggregate_type == "chat").collect();
        let distinct: HashSet<_> = appended.iter().map(|event| &event.payload).collect();
        assert_eq!(distinct.len(), appended.len(), "nothing is there twice");
        for (id, sequence) in &ledgers {
            let (id, fresh) = (Uuid::from_u128(*id), Aggregates::<Ledger<1>>::new(log.clone()));
            let state = loaded(&fresh, id).await;
            assert!(state.1 >= *sequence);
            assert_eq!(state, folded(&log, id).await);
        }
        used += log.stats().snapshots_used;
        log.close().await;
    }
    assert!(events.len() > 20 && used > 0, "{} events, {used} snapshots", events.len());
}

/// Waits until the server has noticed that the child is gone: it may still be committing its last batch.
async fn gone(fixture: &Fixture) {
    let Fixture::Postgres(database) = fixture else { return };
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'docket %' AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    pool.close().await;
}
