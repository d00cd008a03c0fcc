//! A process that is killed (`kill -9`) while it seals: this test's own program, started again as a child.

use crate::{calls::*, fixture::*};
use docket_eventlog::{FileStore, Log, Options, ReadOnly};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

on_both! { a_kill_while_sealing_loses_and_repeats_nothing }

const URL: &str = "DOCKET_TEST_LOG_OF_THE_SEALER";
const PLACE: &str = "DOCKET_TEST_SEGMENTS_OF_THE_SEALER";
const MARK: &str = "acknowledged ";
const KILLS: usize = 12;

/// What the child runs, until it is killed. Without a log it is no child, and nothing.
#[tokio::test(flavor = "multi_thread")]
async fn sealing_child() {
    let (Ok(url), Ok(place)) = (std::env::var(URL), std::env::var(PLACE)) else { return };
    let options = Options { segments: Some(FileStore::open(&place).unwrap()), ..Options::default() };
    let log = Log::open(&url.parse().unwrap(), options).await.unwrap();
    let from = u128::from(log.head().await.unwrap()) << 32;
    for number in from.. {
        let mut appended = log.append(streamed(&call(number), number % 3, (0..80).map(token).collect())).await.unwrap();
        say(appended.last_position, &format!("{} {}", call(number), appended.last_sequence));
        appended = log.append(streamed(&call(number), number % 3, vec![end("finished")])).await.unwrap();
        say(appended.last_position, &format!("{} {}", call(number), appended.last_sequence));
        if number % 4 == 3 {
            let sealed = log.seal(NOW).await.unwrap();
            say(0, &format!("sealed {}", sealed.events));
        }
    }
}

fn say(position: u64, what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{position} {what}").unwrap();
}

async fn a_kill_while_sealing_loses_and_repeats_nothing(fixture: Fixture) {
    let world = World::new(fixture);
    let mut random = SmallRng::seed_from_u64(1);
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    let (mut seals, mut unpruned) = (0, 0);
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["sealed_killed::sealing_child", "--exact", "--nocapture"])
            .env(URL, url(&world.fixture))
            .env(PLACE, world.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Somewhere after its first seals.
        let wanted = random.random_range(20..60);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, said)) = line.split_once(MARK) else { continue };
            let (position, what) = said.split_once(' ').unwrap();
            match position.parse().unwrap() {
                0 => seals += 1,
                position => assert!(acknowledged.insert(position, what.to_owned()).is_none(), "{position} was given out twice"),
            }
            if acknowledged.len() >= (round + 1) * 40 + wanted {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let beside = ReadOnly::open(&world.fixture.url(), Some(world.store())).await.unwrap();
        unpruned += beside.segments().await.unwrap().iter().filter(|segment| !segment.pruned).count();
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
    log.seal(NOW).await.unwrap();
    assert!(log.segments().await.unwrap().iter().all(|segment| segment.pruned));
    let events = assert_sound(&log).await.len();
    eprintln!(
        "{KILLS} kills, {seals} seals, {unpruned} left to be pruned, {} acknowledgements, {events} events",
        acknowledged.len()
    );
    assert!(seals > KILLS && events > 1000);
    log.close().await;
}

/// As the child's variable has it, with the password.
fn url(fixture: &Fixture) -> String {
    match fixture.url() {
        docket_eventlog::DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        docket_eventlog::DatabaseUrl::Postgres(url) => url,
    }
}
