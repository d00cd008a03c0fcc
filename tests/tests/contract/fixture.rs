//! A log for a test, on one of the databases.

use docket_eventlog::{DatabaseUrl, Log, Options, Recorded, StreamId};
pub use docket_tests::fixture::{append, commanded, event, expecting};
#[cfg(feature = "kurrentdb")]
use docket_tests::kurrentdb::KurrentDb;
use docket_tests::postgres::Database;
use std::{collections::HashMap, fmt::Display, sync::Arc};
use tempfile::TempDir;

pub enum Place {
    Sqlite(TempDir),
    Postgres(Database),
    #[cfg(feature = "kurrentdb")]
    Double(KurrentDb),
    /// Shared with whatever else is in it: a test has streams and a beginning of its own there.
    #[cfg(feature = "kurrentdb")]
    Cluster(String),
}

pub struct Fixture {
    pub place: Place,
    /// The end of its streams' names.
    tag: String,
    /// The position before its first event.
    pub start: u64,
}

impl Fixture {
    fn on(place: Place) -> Self {
        Self { place, tag: String::new(), start: 0 }
    }

    pub async fn sqlite() -> Option<Self> {
        Some(Self::on(Place::Sqlite(tempfile::tempdir().unwrap())))
    }

    pub async fn postgres() -> Option<Self> {
        Some(Self::on(Place::Postgres(Database::create())))
    }

    #[cfg(feature = "kurrentdb")]
    pub async fn double() -> Option<Self> {
        Some(Self::on(Place::Double(KurrentDb::start().await)))
    }

    /// None without a server; that is said aloud, past what a test harness keeps to itself.
    #[cfg(feature = "kurrentdb")]
    pub async fn cluster() -> Option<Self> {
        use std::io::Write;
        let Ok(url) = std::env::var("KURRENTDB_URL") else {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let _ = writeln!(std::io::stderr(), "NOT RUN against a real KurrentDB, for KURRENTDB_URL is not set: {name}");
            return None;
        };
        let mut fixture = Self::on(Place::Cluster(url));
        fixture.tag = format!("-{}", uuid::Uuid::now_v7());
        let log = fixture.open().await;
        fixture.start = log.head().await.unwrap();
        log.close().await;
        Some(fixture)
    }

    pub fn url(&self) -> DatabaseUrl {
        match &self.place {
            Place::Sqlite(folder) => DatabaseUrl::Sqlite(folder.path().join("log.db")),
            Place::Postgres(database) => DatabaseUrl::Postgres(database.url()),
            #[cfg(feature = "kurrentdb")]
            Place::Double(server) => server.url().parse().unwrap(),
            #[cfg(feature = "kurrentdb")]
            Place::Cluster(url) => url.parse().unwrap(),
        }
    }

    pub async fn open(&self) -> Log {
        Log::open(&self.url(), Options::default()).await.unwrap()
    }

    /// Whether positions are 1, 2, 3…
    pub fn is_dense(&self) -> bool {
        matches!(self.place, Place::Sqlite(_) | Place::Postgres(_))
    }

    /// Whether nobody else writes there.
    pub fn is_alone(&self) -> bool {
        self.tag.is_empty()
    }

    pub fn chat(&self, id: impl Display) -> StreamId {
        self.stream("chat", id)
    }

    pub fn stream(&self, kind: &str, id: impl Display) -> StreamId {
        StreamId::new(kind, format!("{id}{}", self.tag))
    }

    /// Whether this test wrote it.
    pub fn is_mine(&self, event: &Recorded) -> bool {
        event.stream.aggregate_id.ends_with(&self.tag)
    }

    /// All that this test has written, page by page.
    pub async fn everything(&self, log: &Log) -> Vec<Arc<Recorded>> {
        let (mut events, mut after) = (Vec::<Arc<Recorded>>::new(), self.start);
        loop {
            let page = log.read_all(after, &docket_eventlog::Filter::all(), 500).await.unwrap();
            if page.through == after {
                events.retain(|event| self.is_mine(event));
                return events;
            }
            assert!(
                page.through > after && page.events.iter().all(|event| (after + 1..=page.through).contains(&event.position))
            );
            after = page.through;
            events.extend(page.events);
        }
    }

    /// Fails unless the log is what it always is: positions rising, each stream dense, hashes right; where that is promised,
    /// positions dense and times in order.
    pub async fn assert_sound(&self, log: &Log) -> Vec<Arc<Recorded>> {
        let events = self.everything(log).await;
        let mut sequences = HashMap::new();
        for event in &events {
            let sequence: &mut u64 = sequences.entry(event.stream.clone()).or_default();
            *sequence += 1;
            assert_eq!(event.sequence, *sequence, "{}", event.stream);
            assert_eq!(event.leaf_hash, event.computed_leaf_hash());
        }
        assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position));
        if self.is_dense() {
            assert!(positions(&events).into_iter().eq(1..=events.len() as u64));
            assert!(events.is_sorted_by_key(|event| event.recorded_at));
        }
        if self.is_alone() {
            assert_eq!(log.head().await.unwrap(), events.last().map_or(self.start, |event| event.position));
        }
        events
    }
}

pub fn positions(events: &[Arc<Recorded>]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

/// Makes a test of each function for each database.
macro_rules! on_all {
    ($($name:ident)+) => {
        on_all! { in sqlite as sqlite: $($name)+ }
        on_all! { in postgres as postgres: $($name)+ }
        #[cfg(feature = "kurrentdb")]
        on_all! { in kurrentdb_double as double: $($name)+ }
        #[cfg(feature = "kurrentdb")]
        on_all! { in kurrentdb_cluster as cluster: $($name)+ }
    };
    (in $module:ident as $place:ident: $($name:ident)+) => {
        mod $module {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(fixture) = crate::fixture::Fixture::$place().await {
                    super::$name(fixture).await;
                }
            }
        )+}
    };
}
pub(crate) use on_all;
