//! One chat with many readers, and many chats with very many: the server is a process of its own.

mod bare;
mod child;

use super::{
    measured::Measured,
    provider::{Pace, Provider},
    report::Figure,
    run::Bench,
    samples::Samples,
    scratch::Backend,
    watcher::{Seen, Watcher},
};
use crate::descriptors;
use anyhow::{Context, Result, ensure};
use bare::Bare;
use child::Child;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// Readers of one chat.
const READERS: usize = 1_000;
/// Its tokens a second.
const RATE: u32 = 100;
/// Readers of [`CHATS`] chats, if there may be as many open files.
const MANY: usize = 10_000;
const CHATS: usize = 100;
/// Tokens a second of each of these.
const SLOW_RATE: u32 = 2;
/// Connections that are opened at one time.
const OPENING: usize = 200;
/// How long after the last token was due everything has to be there.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    let places = descriptors::connections();
    let bare = without_us(bench).await.context("the bare loop")?;
    for backend in bench.scratch.backends() {
        one_chat(bench, backend, &bare, measured).await.with_context(|| backend.to_string())?;
    }
    let many = MANY.min(places / CHATS * CHATS);
    many_chats(bench, many, measured).await.with_context(|| format!("{many} readers"))
}

fn pace(bench: &Bench, rate: u32) -> Pace {
    Pace { every: Duration::from_secs(1) / rate, tokens: u64::from(rate) * bench.time.as_secs().max(1) }
}

/// What the machine can do.
struct Ceiling {
    samples: Samples,
    /// Processor seconds of whoever wrote to the sockets, for each second.
    processor: f64,
}

async fn without_us(bench: &Bench) -> Result<Ceiling> {
    let pace = pace(bench, RATE);
    let bare = Bare::start(READERS, pace).await?;
    let watchers = open(bare.address, vec![("/".to_owned(), READERS)], "").await?;
    let (begin, thread) = (Instant::now(), bare.begin()?);
    let (samples, received) = watch(watchers, pace).await?;
    ensure!(received == pace.tokens * READERS as u64, "{received} tokens were received");
    let elapsed = begin.elapsed();
    let used = tokio::task::spawn_blocking(move || thread.join()).await?;
    let used = used.map_err(|_| anyhow::anyhow!("the loop failed"))??;
    Ok(Ceiling { samples, processor: used.as_secs_f64() / elapsed.as_secs_f64() })
}

async fn one_chat(bench: &Bench, backend: Backend, bare: &Ceiling, measured: &mut Measured) -> Result<()> {
    const BARE: &str = "bare loop, a write for each token";
    let (provider, database) = (Provider::start().await?, bench.scratch.database(backend).await?);
    let child = Child::start(&database, &provider.base_url()).await?;
    let idle = child.resident()?;
    let pace = pace(bench, RATE);
    let watchers = open(child.address, vec![(child.chat().await?, READERS)], &child.token).await?;
    provider.wait_for(1).await?;
    let (begin, before) = (Instant::now(), child.processor()?);
    provider.send(pace);
    let (samples, received) = watch(watchers, pace).await?;
    let (elapsed, used) = (begin.elapsed(), child.processor()?.saturating_sub(before));
    let (sent, processor) = (provider.sent() * READERS as u64, used.as_secs_f64() / elapsed.as_secs_f64());
    let name = format!("{backend}, {READERS} readers at {RATE} tokens/s");
    let latency = format!("{name}, recorded (before its commit) to byte");
    measured.add(Figure::new(format!("{latency}, p50"), samples.median(), "ms").beside(BARE, bare.samples.median()));
    measured.add(Figure::new(format!("{latency}, p99"), samples.p99(), "ms").beside(BARE, bare.samples.p99()));
    measured.add(Figure::new(format!("{latency}, max"), samples.max(), "ms").beside(BARE, bare.samples.max()));
    measured.add(Figure::new(format!("{name}, delivered"), received as f64, "tokens").beside("sent", sent as f64));
    measured.add(Figure::new(format!("{name}, CPU of the server"), processor, "s/s").beside(BARE, bare.processor));
    let megabytes = |kib: u64| kib as f64 / 1024.0;
    let after = megabytes(child.resident()?);
    measured.add(Figure::new(format!("{name}, memory of the server"), after, "MiB").beside("idle", megabytes(idle)));
    child.stop().await?;
    bench.scratch.remove(database).await
}

async fn many_chats(bench: &Bench, readers: usize, measured: &mut Measured) -> Result<()> {
    let (provider, database) = (Provider::start().await?, bench.scratch.database(Backend::Sqlite).await?);
    let child = Child::start(&database, &provider.base_url()).await?;
    let mut chats = Vec::with_capacity(CHATS);
    for _ in 0..CHATS {
        chats.push((child.chat().await?, readers / CHATS));
    }
    provider.wait_for(CHATS as u64).await?;
    let idle = child.resident()?;
    let watchers = open(child.address, chats, &child.token).await?;
    let connected = child.resident()?;
    let pace = pace(bench, SLOW_RATE);
    let (begin, before) = (Instant::now(), child.processor()?);
    provider.send(pace);
    let (samples, received) = watch(watchers, pace).await?;
    let (elapsed, used) = (begin.elapsed(), child.processor()?.saturating_sub(before));
    let sent = provider.sent() * (readers / CHATS) as u64;
    let name = format!("sqlite, {readers} readers of {CHATS} chats at {SLOW_RATE} tokens/s");
    let each = |kib: u64| kib.saturating_sub(idle) as f64 / readers as f64;
    measured.figure(&format!("{name}, memory of an idle reader"), each(connected), "KiB");
    measured.figure(&format!("{name}, memory of a reader afterwards"), each(child.resident()?), "KiB");
    measured.add(Figure::new(format!("{name}, delivered"), received as f64, "tokens").beside("sent", sent as f64));
    measured.figure(&format!("{name}, recorded to byte, p99"), samples.p99(), "ms");
    measured.figure(&format!("{name}, CPU of the server"), used.as_secs_f64() / elapsed.as_secs_f64(), "s/s");
    child.stop().await?;
    bench.scratch.remove(database).await
}

/// Opens so many streams of each path, some at a time.
async fn open(address: SocketAddr, paths: Vec<(String, usize)>, token: &str) -> Result<Vec<Watcher>> {
    let (mut opening, mut opened) = (JoinSet::new(), Vec::new());
    for (path, readers) in paths {
        for _ in 0..readers {
            if opening.len() >= OPENING
                && let Some(one) = opening.join_next().await
            {
                opened.push(one??);
            }
            let (path, token) = (path.clone(), token.to_owned());
            opening.spawn(async move { Watcher::open(address, &path, &token).await });
        }
    }
    while let Some(one) = opening.join_next().await {
        opened.push(one??);
    }
    Ok(opened)
}

/// Watches to the end of the turns.
async fn watch(watchers: Vec<Watcher>, pace: Pace) -> Result<(Samples, u64)> {
    let mut watching: JoinSet<_> = watchers.into_iter().map(Watcher::watch).collect();
    let (mut samples, mut received) = (Samples::default(), 0);
    let all = async {
        while let Some(seen) = watching.join_next().await {
            let Seen { samples: more, tokens } = seen??;
            samples.extend([more]);
            received += tokens;
        }
        anyhow::Ok(())
    };
    let longest = pace.every * u32::try_from(pace.tokens).unwrap_or(u32::MAX) + PATIENCE;
    timeout(longest, all).await.context("tokens are missing")??;
    Ok((samples, received))
}
