//! One generation: rows first, then indexes, then it takes the live one's place.

use super::{BuildError, Built};
use crate::{
    database::Database,
    generation::Generation,
    projection::{Projection, make_indexes, make_tables},
    runner::batch::{self, Outcome},
};
use docket_eventlog::{Filter, Log, Page, Recorded};
use std::sync::Arc;
use tokio::sync::mpsc;

const PAGE: usize = 1_000;

/// What is to be built.
pub(crate) struct Job {
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) generation: Generation,
    pub(crate) through: u64,
    /// The log from the generation's checkpoint or before, up to `through`, if nothing fails.
    pub(crate) pages: mpsc::Receiver<Arc<Page>>,
}

pub(crate) async fn build<P: Projection>(mut job: Job) -> Result<Built, BuildError> {
    let mut projection = P::default();
    let (database, mut generation) = (&job.database, job.generation);
    let mut built = Built { projection: P::NAME, events: 0, set_aside: 0, position: generation.position };
    make_tables(P::TABLES, database, &generation).await?;
    let filter = P::filter();
    while let Some(page) = job.pages.recv().await {
        add(&mut projection, database, &mut generation, &filter, &page, &mut built).await?;
    }
    make_indexes(P::TABLES, database, &generation).await?;
    // Meanwhile the log has gone on, and the live view with it.
    while generation.position < job.through || !generation.make_live(database).await? {
        let page = job.log.read_all(generation.position, &filter, PAGE).await?;
        if page.through == generation.position {
            return Err(BuildError::Busy { projection: P::NAME });
        }
        add(&mut projection, database, &mut generation, &filter, &page, &mut built).await?;
    }
    Ok(built)
}

async fn add<P: Projection>(
    projection: &mut P,
    database: &Database,
    generation: &mut Generation,
    filter: &Filter,
    page: &Page,
    built: &mut Built,
) -> Result<(), BuildError> {
    if page.through <= generation.position {
        return Ok(());
    }
    let wanted = |event: &&Arc<Recorded>| event.position > generation.position && filter.matches(event);
    let events: Vec<_> = page.events.iter().filter(wanted).cloned().collect();
    match batch::apply(database, projection, generation, &events, page.through).await? {
        Outcome::Applied { set_aside } => built.set_aside += set_aside,
        Outcome::Displaced => return Err(BuildError::Busy { projection: P::NAME }),
    }
    built.events += events.len() as u64;
    built.position = generation.position;
    Ok(())
}
