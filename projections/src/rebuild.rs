//! Projecting the whole log anew, into another database. Comparing the two shows that state is disposable, or that it is not.

use crate::{
    checkpoint,
    database::Database,
    projection::Projection,
    runner::batch::{self, Outcome},
    set::Set,
};
use docket_eventlog::{Log, ReadError};

const PAGE: usize = 2_000;

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    pub projection: &'static str,
    /// Events that concerned it.
    pub events: u64,
    pub set_aside: u64,
    /// Its rows show every event up to here.
    pub position: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("the views' database: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("somebody else writes projection {projection} of that database")]
    Busy { projection: &'static str },
}

impl RebuildError {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Database(_) => "views_unavailable",
            Self::Log(error) => error.code(),
            Self::Busy { .. } => "views_busy",
        }
    }
}

/// Projects every event up to position `through` into a database of its own, beside the live one.
///
/// # Errors
/// When the log or the database fails; what was written stays, and a repeat goes on from there.
pub async fn rebuild_into(set: &Set, log: &Log, database: &Database, through: u64) -> Result<Vec<Rebuilt>, RebuildError> {
    set.prepare(database).await?;
    let mut rebuilt = Vec::new();
    for member in &set.members {
        rebuilt.push((member.rebuild)(log, database, through).await?);
    }
    Ok(rebuilt)
}

pub(crate) async fn project<P: Projection>(log: &Log, database: &Database, through: u64) -> Result<Rebuilt, RebuildError> {
    let mut projection = P::default();
    let mut tx = database.begin().await?;
    let mut position = checkpoint::load(&mut tx, P::NAME, P::VERSION).await?;
    tx.commit().await?;
    let mut rebuilt = Rebuilt { projection: P::NAME, events: 0, set_aside: 0, position };
    while position < through {
        let mut page = log.read_all(position, &P::filter(), PAGE).await?;
        page.events.retain(|event| event.position <= through);
        let to = page.through.min(through);
        if to == position {
            break;
        }
        match batch::apply(database, &mut projection, &page.events, position, to).await? {
            Outcome::Applied { set_aside } => rebuilt.set_aside += set_aside,
            Outcome::Displaced => return Err(RebuildError::Busy { projection: P::NAME }),
        }
        rebuilt.events += page.events.len() as u64;
        position = to;
    }
    rebuilt.position = position;
    Ok(rebuilt)
}
