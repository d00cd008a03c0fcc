//! Live views: whether they keep up with chats that stream as fast as the log takes it, and how soon they show what is written.

use super::{history, measured::Measured, report::Figure, run::Bench, samples::Samples, scratch::Backend};
use anyhow::{Context, Result};
use docket_eventlog::{Log, Options};
use docket_projections::{Database, Projections};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const CHATS: usize = 100;
/// Longer than any view takes; beyond it something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        on(bench, backend, measured).await.with_context(|| backend.to_string())?;
    }
    Ok(())
}

async fn on(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let alone = without_views(bench, backend).await?;
    let database = bench.scratch.database(backend).await?;
    let log = Log::open(&database.url, Options::default()).await?;
    let projections = Projections::start(log.clone(), Database::open(&database.views()).await?).await?;
    let (begin, driven) = (Instant::now(), CancellationToken::new());
    let drive = async {
        let _driven = driven.clone().drop_guard();
        history::drive(&log, CHATS, bench.time).await
    };
    let (events, delays) = tokio::try_join!(drive, delays(&log, &projections, &driven))?;
    let written = begin.elapsed();
    projections.wait_for(log.head().await?, PATIENCE).await?;
    let shown = begin.elapsed();
    projections.stop().await;
    projections.database().close().await;
    log.close().await;
    bench.scratch.remove(database).await?;
    let name = format!("{backend}, {CHATS} chats");
    let rate = events as f64 / shown.as_secs_f64();
    measured.add(Figure::new(format!("{name}, appended and in all views"), rate, "events/s").beside("without views", alone));
    measured.figure(&format!("{name}, behind at the end"), (shown - written).as_secs_f64() * 1000.0, "ms");
    measured.figure(&format!("{name}, written to shown, p50"), delays.median(), "ms");
    measured.figure(&format!("{name}, written to shown, p99"), delays.p99(), "ms");
    Ok(())
}

/// How long it takes, again and again, until all views show what is in the log at that moment.
async fn delays(log: &Log, projections: &Projections, driven: &CancellationToken) -> Result<Samples> {
    let mut samples = Samples::default();
    while !driven.is_cancelled() {
        let one = Instant::now();
        projections.wait_for(log.head().await?, PATIENCE).await?;
        samples.add(one.elapsed());
        // The log goes on meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(samples)
}

async fn without_views(bench: &Bench, backend: Backend) -> Result<f64> {
    let database = bench.scratch.database(backend).await?;
    let log = Log::open(&database.url, Options::default()).await?;
    let begin = Instant::now();
    let events = history::drive(&log, CHATS, bench.time).await?;
    let rate = events as f64 / begin.elapsed().as_secs_f64();
    log.close().await;
    bench.scratch.remove(database).await?;
    Ok(rate)
}
