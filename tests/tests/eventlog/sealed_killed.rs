//! A process that is killed (`kill -9`) while it seals: this test's own program, started again as a child.

use crate::{calls::*, fixture::*};
use docket_eventlog::{FileStore, Log, Options, ReadOnly, SealError, Segment};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

on_both! { a_kill_while_sealing_loses_and_repeats_nothing }

const URL: &str = "DOCKET_TEST_LOG_OF_THE_SEALER";
const PLACE: &str = "DOCKET_TEST_SEGMENTS_OF_THE_SEALER";
const MARK: &str = "acknowledged ";
const KILLS: usize = 9;

/// What the child runs, until it is killed. Without a log it is no child, and nothing.
#[tokio::test(flavor = "multi_thread")]
async fn sealing_child() {
    let (Ok(url), Ok(place)) = (std::env::var(URL), std::env::var(PLACE)) else { return };
    let options = Options { segments: Some(FileStore::open(&place).unwrap()), ..Options::default() };
    let log = Log::open(&url.parse().unwrap(), options).await.unwrap();
    let from = u128::from(log.head().await.unwrap()) << 32;
    for number in from.. {
        let mut appended = log.append(streamed(&call(number), number % 3, (0..400).map(token).collect())).await.unwrap();
        say(appended.last_position, &format!("{} {}", call(number), appended.last_sequence));
        appended = log.append(streamed(&call(number), number % 3, vec![end("finished")])).await.unwrap();
        say(appended.last_position, &format!("{} {}", call(number), appended.last_sequence));
        if number % 4 == 3 {
            say(0, "seals");
            say(0, &format!("sealed {}", seal(&log).await));
        }
    }
}

/// Gives the number of events that were sealed.
async fn seal(log: &Log) -> u64 {
    loop {
        match log.seal(NOW).await {
            // The server has not noticed yet that the process before us is dead.
            Err(SealError::Busy) => tokio::task::yield_now().await,
            sealed => return sealed.unwrap().events,
        }
    }
}

fn say(position: u64, what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{position} {what}").unwrap();
}

async fn a_kill_while_sealing_loses_and_repeats_nothing(fixture: Fixture) {
    let world = World::new(fixture);
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    let (mut seals, mut unpruned, mut orphans) = (0, 0, 0);
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["sealed_killed::sealing_child", "--exact", "--nocapture"])
            .env(URL, url(&world.fixture))
            .env(PLACE, world.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // In its second seal: as it begins, when the file is written, or when the segment is recorded.
        let mut begun = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, said)) = line.split_once(MARK) else { continue };
            let (position, what) = said.split_once(' ').unwrap();
            match (position.parse().unwrap(), what) {
                (0, "seals") => begun += 1,
                (0, _) => seals += 1,
                (position, what) => {
                    assert!(acknowledged.insert(position, what.to_owned()).is_none(), "{position} was given out twice");
                }
            }
            if begun == 2 {
                break;
            }
        }
        let (files, segments) = (world.files().len(), recorded(&world).await.len());
        let mut lives = || child.try_wait().unwrap().is_none();
        match round % 3 {
            0 => {}
            1 => while world.files().len() == files && lives() {},
            _ => while recorded(&world).await.len() == segments && lives() {},
        }
        assert!(lives(), "the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let now = recorded(&world).await;
        unpruned += now.iter().filter(|segment| !segment.pruned).count();
        orphans += world.files().len().saturating_sub(now.len());
        let beside = ReadOnly::open(&world.fixture.url(), Some(world.store())).await.unwrap();
        assert_eq!(beside.verify_segments(&|_, _| ()).await.unwrap().damaged, []);
        beside.close().await;
        let log = world.open().await;
        let events = assert_sound(&log).await;
        for (position, what) in &acknowledged {
            let event = &events[*position as usize - 1];
            assert_eq!(format!("{} {}", event.stream, event.sequence), *what);
        }
        log.close().await;
    }
    let log = world.open().await;
    seal(&log).await;
    assert!(log.segments().await.unwrap().iter().all(|segment| segment.pruned));
    let events = assert_sound(&log).await.len();
    eprintln!(
        "{KILLS} kills, {seals} seals, {unpruned} found to be pruned, {orphans} found unrecorded, {} acknowledgements, {events} events",
        acknowledged.len()
    );
    assert!(seals >= KILLS && unpruned > 0 && orphans > 0 && events > 20_000);
    log.close().await;
}

async fn recorded(world: &World) -> Vec<Segment> {
    // The child makes the tables.
    let Ok(log) = ReadOnly::open(&world.fixture.url(), Some(world.store())).await else { return Vec::new() };
    let segments = log.segments().await.unwrap_or_default();
    log.close().await;
    segments
}

/// As the child's variable has it, with the password.
fn url(fixture: &Fixture) -> String {
    match fixture.url() {
        docket_eventlog::DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        docket_eventlog::DatabaseUrl::Postgres(url) | docket_eventlog::DatabaseUrl::Kurrentdb(url) => url,
    }
}
