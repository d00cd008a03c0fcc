//! A projection that a test can hold up, break and mend: it writes down the types of events.

use crate::backend::PATIENCE;
use docket_eventlog::{Filter, Recorded};
use docket_projections::{
    ApplyError, Database, Projection, Projections, Status, Table,
    database::{Transaction, Upsert, Value},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a test does to the projection. Tests run side by side, so each has its own.
pub struct Trial {
    /// Newer versions than the first stand still after the event at this position, if it is not 0.
    pub held_after: AtomicU64,
    /// The event at this position cannot be applied.
    pub poison: AtomicU64,
    /// It does not merely fail, it panics.
    pub panics: AtomicBool,
}

impl Trial {
    const fn new() -> Self {
        Self { held_after: AtomicU64::new(0), poison: AtomicU64::new(0), panics: AtomicBool::new(false) }
    }
}

pub static TRIALS: [Trial; 8] = [const { Trial::new() }; 8];

const ROWS: Upsert = Upsert { table: "trial@", columns: &["position", "said"], key: &["position"], replace: &[], add: &[] };

/// The projection of trial number `T`, as of version `V`.
#[derive(Default)]
pub struct Trying<const V: u32, const T: usize>;

impl<const V: u32, const T: usize> Projection for Trying<V, T> {
    const NAME: &'static str = "trial";
    const VERSION: u32 = V;
    const TABLES: &'static [Table] = &[Table {
        name: "trial",
        key: &["position"],
        columns: "position BIGINT PRIMARY KEY, said TEXT NOT NULL",
        indexes: &[("said", "said")],
    }];

    fn filter() -> Filter {
        Filter::all()
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let trial = &TRIALS[T];
        let mut rows = Vec::new();
        for event in events {
            let held = trial.held_after.load(Ordering::SeqCst);
            if V > 1 && held != 0 && event.position > held {
                // As a database does that is away for a while: what came before stays undone with it.
                return Err(ApplyError::Database(sqlx::Error::WorkerCrashed));
            }
            if event.position == trial.poison.load(Ordering::SeqCst) {
                assert!(!trial.panics.load(Ordering::SeqCst), "this event is too much");
                return Err(ApplyError::Unfit("this event is not understood".to_owned()));
            }
            rows.push(vec![Value::count(event.position), Value::text(format!("v{V} {}", event.event_type))]);
        }
        Ok(ROWS.write(tx, rows).await?)
    }
}

/// Waits until a condition holds of the projection.
pub async fn until(projections: &Projections, name: &str, holds: impl Fn(&Status) -> bool) -> Status {
    let begin = Instant::now();
    loop {
        let status = projections.status().await.unwrap().into_iter().find(|status| status.name == name).unwrap();
        if holds(&status) {
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "it never came to it: {status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Which tables of a projection there are: those of its generations that are not dropped, as (generation, version, role).
pub async fn generations(views: &Database, name: &str) -> Vec<(u64, u64, String)> {
    let sql =
        "SELECT generation, version, role FROM generations WHERE projection = $1 AND role <> 'dropped' ORDER BY generation";
    let rows = views.read().await.unwrap().fetch(sql, vec![Value::text(name)]).await.unwrap();
    rows.iter().map(|row| (row.count(0).unwrap(), row.count(1).unwrap(), row.text(2).unwrap())).collect()
}

/// Waits until only the live generation is left.
pub async fn alone(views: &Database, name: &str) -> u64 {
    let begin = Instant::now();
    loop {
        if let [(generation, _, role)] = &generations(views, name).await[..]
            && role == "live"
        {
            return *generation;
        }
        assert!(begin.elapsed() < PATIENCE, "the others are never dropped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a table is there.
pub async fn exists(views: &Database, table: &str) -> bool {
    views.read().await.unwrap().fetch(&format!("SELECT * FROM {table} LIMIT 1"), vec![]).await.is_ok()
}
