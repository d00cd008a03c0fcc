//! All views from nothing: how fast a log becomes views again.

use super::{history, measured::Measured, report::Figure, run::Bench, scratch::Backend};
use anyhow::{Context, Result};
use docket_eventlog::{Durability, Filter, Log, Options};
use docket_projections::{Database, Set, rebuild_into};
use std::time::Instant;

/// Events of the log; far more than anything keeps in memory.
const EVENTS: u64 = 1_000_000;
const PAGE: usize = 5_000;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        on(bench, backend, measured).await.with_context(|| backend.to_string())?;
    }
    Ok(())
}

async fn on(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let database = bench.scratch.database(backend).await?;
    let filling = Log::open(&database.url, Options { durability: Durability::Relaxed, ..Options::default() }).await?;
    let events = history::fill(&filling, EVENTS).await?;
    filling.close().await;

    // Opened anew, so that nothing is in memory.
    let log = Log::open(&database.url, Options::default()).await?;
    let begin = Instant::now();
    let read = catch_up(&log).await?;
    let ceiling = read as f64 / begin.elapsed().as_secs_f64();

    let views = Database::open(&database.views()).await?;
    let begin = Instant::now();
    let rebuilt = rebuild_into(&Set::standard(), &log, &views, events).await?;
    let figure = Figure::new(
        format!("{backend}, all views of {events} events"),
        events as f64 / begin.elapsed().as_secs_f64(),
        "events/s",
    );
    measured.add(figure.beside("bare catch-up read", ceiling));
    for one in &rebuilt {
        measured.remark(&format!("{}: {} events", one.projection, one.events));
    }
    views.close().await;
    log.close().await;
    bench.scratch.remove(database).await
}

/// The ceiling: the same log, only read.
async fn catch_up(log: &Log) -> Result<u64> {
    let (mut count, mut after) = (0, 0);
    loop {
        let page = log.read_all(after, &Filter::all(), PAGE).await?;
        count += page.events.len() as u64;
        if page.through == after {
            return Ok(count);
        }
        after = page.through;
    }
}
