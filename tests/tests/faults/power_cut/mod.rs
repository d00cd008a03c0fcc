//! The power is cut while chats stream: at any point between two system calls, and with any part of what was not synced gone.

mod disk;
mod trace;

use crate::{plane::Plane, preload::Preload, tally::tally};
use disk::Disk;
use docket_eventlog::{DatabaseUrl, Log, Options, Recorded};
use docket_projections::{Projections, Set, database::Database, diff};
use docket_tests::{
    fixture::{append, assert_sound, chat},
    server::{Backend, Server},
    sse::{DEADLINE, Event, EventStream},
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use trace::{Call, Entry, Marker};

const CUTS: usize = 200;
/// Of these the whole server is started again.
const SERVERS: usize = 5;
/// How often the server is started while it is recorded.
const STARTS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_is_there_after_a_power_cut() {
    let preload = Preload::build();
    let (data, entries) = record(&preload).await;
    let shown: Vec<&Event> =
        entries.iter().filter_map(|entry| if let Call::Shown { event } = &entry.call { Some(event) } else { None }).collect();
    assert!(shown.iter().map(|event| event.position()).eq(1..=shown.len() as u64));
    let first = entries.iter().position(|entry| matches!(entry.call, Call::Shown { .. })).unwrap();

    let mut random = SmallRng::seed_from_u64(5);
    let mut cuts: Vec<usize> = (0..CUTS).map(|_| random.random_range(first..entries.len())).collect();
    cuts.sort_unstable();
    let (mut disk, mut taken, mut promised, mut lost, mut compared) = (Disk::default(), 0, 0, 0, 0);
    for (number, cut) in cuts.into_iter().enumerate() {
        for entry in &entries[taken..cut] {
            disk.take(entry);
            promised += usize::from(matches!(entry.call, Call::Shown { .. }));
        }
        taken = cut;
        // In memory where there is such a place: what is synced here is of no interest.
        let left = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        lost += disk.cut(&data, left.path(), &mut random);
        if number % (CUTS / SERVERS) == CUTS / SERVERS - 1 {
            compared += serve(&disk, &data, &mut random, &shown[..promised]).await;
        }
        compared += reopen(left, &shown, promised).await;
    }
    tally(
        "power cut",
        (CUTS, CUTS),
        (compared, 20 * CUTS),
        format!("{lost} writes lost or torn, {} events shown", shown.len()),
    );
    assert!(lost > CUTS);
}

/// Runs the real server under load; where its data lay, and what it wrote and showed.
async fn record(preload: &Preload) -> (PathBuf, Vec<Entry>) {
    let trace = preload.file("trace");
    let mut server = Server::prepare(Backend::Sqlite, &[]);
    let data = server.data_dir();
    server = server
        .variable("LD_PRELOAD", &preload.library())
        .variable("DOCKET_TRACE", &trace.display().to_string())
        .variable("DOCKET_TRACE_FOLDER", &data.display().to_string());
    let mut last = 0;
    for round in 1..=STARTS {
        server.restart().await;
        let mut stream = EventStream::open(server.address(), "/api/v1/events", &server.token(), Some(last)).await;
        let mut marker = Marker::open(&trace);
        let reader = tokio::spawn(async move {
            let mut last = last;
            while let Some(event) = stream.next().await {
                if event.id.is_some() {
                    marker.shown(&event);
                    last = event.position();
                }
            }
            last
        });
        let plane = Plane::start(&server).await;
        plane.gets_on(60).await;
        plane.compare(&server).await;
        // A clean end copies the journal into the database.
        if round == STARTS {
            server.kill9().await;
        } else {
            server.terminate().await;
        }
        last = reader.await.unwrap();
    }
    let (log, entries) = (data.join("docket.db"), trace::read(&trace));
    let syncs = entries.iter().filter(|entry| entry.path == log && matches!(entry.call, Call::Sync)).count();
    assert!(syncs >= STARTS - 1, "the database itself was synced {syncs} times");
    (data, entries)
}

/// Opens what is left, compares, and appends to it. Gives how many events were compared.
async fn reopen(left: TempDir, shown: &[&Event], promised: usize) -> usize {
    let log = Log::open(&DatabaseUrl::Sqlite(left.path().join("docket.db")), Options::default()).await.unwrap();
    let events = assert_sound(&log).await;
    assert!(events.len() >= promised, "{promised} events had been shown, and {} are left", events.len());
    for (event, shown) in events.iter().zip(shown) {
        assert_same(event, shown);
    }
    let appended = log.append(append(&chat("after"), "{}")).await.unwrap();
    assert_eq!(appended.last_position, events.len() as u64 + 1);
    log.close().await;
    events.len()
}

fn assert_same(event: &Arc<Recorded>, shown: &Event) {
    #[derive(Deserialize)]
    struct Shown<'a> {
        stream: String,
        sequence: u64,
        recorded_at: i64,
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let Shown { stream, sequence, recorded_at, data } = serde_json::from_str(&shown.data).unwrap();
    assert_eq!((event.position, &*event.event_type), (shown.position(), &*shown.name));
    assert_eq!((event.stream.to_string(), event.sequence, event.recorded_at), (stream, sequence, recorded_at));
    assert_eq!(event.payload, data.get());
}

/// Starts the server on what is left. It goes on by itself: turns end, and its views are what a rebuild gives.
async fn serve(disk: &Disk<'_>, data: &Path, random: &mut SmallRng, promised: &[&Event]) -> usize {
    let mut server = Server::prepare(Backend::Sqlite, &[]);
    disk.cut(data, &server.data_dir(), random);
    server.restart().await;
    let plane = Plane::start(&server).await;
    plane.gets_well().await;
    let compared = plane.compare(&server).await;
    let log = server.whole_log().await;
    assert!(promised.iter().copied().eq(&log[..promised.len()]), "something else is left than was shown");
    server.terminate().await;

    let log = Log::open(&DatabaseUrl::Sqlite(server.data_dir().join("docket.db")), Options::default()).await.unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let open = async |path: PathBuf| Database::open(&DatabaseUrl::Sqlite(path)).await.unwrap();
    let fresh_views = open(fresh.path().join("views.db")).await;
    let old_views = open(server.data_dir().join("docket.views.db")).await;
    for views in [&fresh_views, &old_views] {
        let projections = Projections::start(log.clone(), views.clone()).await.unwrap();
        projections.wait_for(log.head().await.unwrap(), DEADLINE).await.unwrap();
        projections.stop().await;
    }
    let comparison = diff(&Set::standard(), &old_views, &fresh_views).await.unwrap();
    assert!(comparison.rows > 0 && comparison.differences.is_empty(), "{comparison:?}");
    compared.events
}
