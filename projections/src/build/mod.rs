//! Building generations: one pass over the log for all that are to be built, each in a task of its own.
//!
//! Reading goes on while the projections work, and these work side by side: each has its own transactions and checkpoint, so one that
//! fails or is cut off goes on from where it was.

pub(crate) mod builder;
mod catch_up;
mod scan;

pub(crate) use catch_up::{Job, build as catch_up};

use crate::{
    database::Database,
    generation::{self, Generation},
    set::{Member, Set},
};
use docket_eventlog::{Log, ReadError};
use scan::Scan;
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinSet};

/// Pages that may wait for one projection while it works.
const AHEAD: usize = 2;

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub projection: &'static str,
    /// Events that concerned it, in this attempt.
    pub events: u64,
    pub set_aside: u64,
    /// Its rows show every event up to here.
    pub position: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("somebody else writes projection {projection} of that database")]
    Busy { projection: &'static str },
    /// A fault of the program itself.
    #[error("the building task ended: {0}")]
    Ended(#[from] tokio::task::JoinError),
}

impl BuildError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(_) => "views_unavailable",
            Self::Log(error) => error.code(),
            Self::Busy { .. } => "views_busy",
            Self::Ended(_) => "views_build_ended",
        }
    }
}

/// Builds every projection of the set from the events up to position `through`, in a database of its own, and makes them what
/// readers of that database get.
///
/// # Errors
/// When the log or the database fails; what was written stays, and a repeat goes on from there.
pub async fn rebuild_into(set: &Set, log: &Log, database: &Database, through: u64) -> Result<Vec<Built>, BuildError> {
    set.prepare(database).await?;
    let mut jobs = Vec::new();
    for member in &set.members {
        jobs.push((member.clone(), generation::begin(database, member.name, member.version).await?));
    }
    together(set, log, database, jobs, through).await
}

/// Builds these generations up to `through`, and on until each can be made live, and does that.
async fn together(
    set: &Set,
    log: &Log,
    database: &Database,
    jobs: Vec<(Member, Generation)>,
    through: u64,
) -> Result<Vec<Built>, BuildError> {
    let mut scan =
        Scan::new(log.clone(), set.scan(), jobs.iter().map(|(_, generation)| generation.position).min().unwrap_or(through));
    let (mut tasks, mut sides) = (JoinSet::new(), Vec::new());
    for (member, generation) in jobs {
        let (pages, coming) = mpsc::channel(AHEAD);
        sides.push(pages);
        tasks.spawn((member.build)(Job { log: log.clone(), database: database.clone(), generation, through, pages: coming }));
    }
    while let Some(page) = scan.next(through).await? {
        let page = Arc::new(page);
        for side in &sides {
            // One that is gone has failed, which is seen below.
            let _ = side.send(page.clone()).await;
        }
        if tasks.is_empty() {
            break;
        }
    }
    drop(sides);
    let mut built = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        built.push(ended??);
    }
    Ok(built)
}
