//! From the provider's socket to the reader's: a token is sent, decoded, recorded, committed, and streamed to whoever watches
//! the chat. All of it runs in this process, the provider and the readers too.

mod commit;
mod plane;
mod reader;

use super::{
    cpu,
    load::many,
    measured::Measured,
    provider::{Pace, Provider},
    report::Figure,
    run::Bench,
    samples::Samples,
    scratch::Backend,
};
use anyhow::{Context, Result};
use plane::Plane;
use reader::{Received, Source};
use std::time::{Duration, Instant};
use tokio::{task::JoinSet, time::timeout};

/// Chats that stream at the same time.
const CHATS: [usize; 3] = [1, 10, 100];
/// Tokens a second of one chat, as a quick model sends them.
const RATE: u32 = 50;
/// The same readers at the same provider.
const ALONE: &str = "without Docket";
/// How long after the last token was due everything has to be there.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    measured.remark(&format!("each chat at {RATE} tokens/s"));
    let mut alone = Vec::new();
    for chats in CHATS {
        alone.push(without_us(bench, chats).await.context("the load generator alone")?);
    }
    for backend in bench.scratch.backends() {
        commit::measure(bench, backend, measured).await.with_context(|| backend.to_string())?;
        for (chats, alone) in CHATS.into_iter().zip(&alone) {
            let name = format!("{backend}, {}", many(chats));
            let mut disk = bench.disk().await?.samples;
            let streamed = through_us(bench, backend, chats).await.with_context(|| name.clone())?;
            disk.extend([bench.disk().await?.samples]);
            let (ours, bare) = (&streamed.samples, &alone.samples);
            let median = Figure::new(format!("{name}, p50"), ours.median(), "ms");
            measured.add(median.beside(ALONE, bare.median()).beside("fdatasync", disk.median()));
            measured.add(Figure::new(format!("{name}, p99"), ours.p99(), "ms").beside(ALONE, bare.p99()));
            measured.add(Figure::new(format!("{name}, max"), ours.max(), "ms").beside(ALONE, bare.max()));
            measured.add(streamed.rate(&name).beside(ALONE, alone.rate("").value));
            measured.add(streamed.delivered(&name));
            measured.add(streamed.processor(&name).beside(ALONE, alone.processor("").value));
        }
    }
    Ok(())
}

/// What all readers of a run got.
struct Streamed {
    samples: Samples,
    sent: u64,
    received: u64,
    /// From the signal to the last token.
    elapsed: Duration,
    processor: Duration,
}

impl Streamed {
    fn rate(&self, name: &str) -> Figure {
        Figure::new(format!("{name}, rate"), self.received as f64 / self.elapsed.as_secs_f64(), "tokens/s")
    }

    fn delivered(&self, name: &str) -> Figure {
        Figure::new(format!("{name}, delivered"), self.received as f64, "tokens").beside("sent", self.sent as f64)
    }

    /// Of the whole process: the load generator is in it, a database server is not.
    fn processor(&self, name: &str) -> Figure {
        let million = self.received.max(1) as f64 / 1e6;
        let value = self.processor.as_secs_f64() / million;
        Figure::new(format!("{name}, CPU of this process"), value, "s/million")
    }
}

fn pace(bench: &Bench) -> Pace {
    let tokens = u64::from(RATE) * bench.time.as_secs().max(1);
    Pace { every: Duration::from_secs(1) / RATE, tokens }
}

/// The same tokens from the same provider to the same readers, with nothing between them.
async fn without_us(bench: &Bench, chats: usize) -> Result<Streamed> {
    let provider = Provider::start().await?;
    let client = reader::client()?;
    let sources = (0..chats).map(|_| Source::provider(&client, &provider.base_url())).collect();
    stream(&provider, sources, pace(bench)).await
}

async fn through_us(bench: &Bench, backend: Backend, chats: usize) -> Result<Streamed> {
    let provider = Provider::start().await?;
    let database = bench.scratch.database(backend).await?;
    let plane = Plane::start(&database, &provider.base_url()).await?;
    let mut sources = Vec::new();
    for _ in 0..chats {
        let chat = plane.chat().await?;
        sources.push(plane.events(&chat));
    }
    let streamed = stream(&provider, sources, pace(bench)).await;
    plane.stop().await?;
    bench.scratch.remove(database).await?;
    streamed
}

/// Connects the readers, lets the tokens flow, and waits for the last.
async fn stream(provider: &Provider, sources: Vec<Source>, pace: Pace) -> Result<Streamed> {
    let clock = provider.clock();
    let connected = sources.len() as u64;
    let mut opening: JoinSet<_> = sources.into_iter().map(Source::open).collect();
    let mut opened = Vec::new();
    while let Some(source) = opening.join_next().await {
        opened.push(source??);
    }
    provider.wait_for(connected).await?;
    let (processor, begin) = (cpu::used(), Instant::now());
    provider.send(pace);
    let mut reading: JoinSet<_> = opened.into_iter().map(|source| source.read(clock)).collect();
    let (mut samples, mut received) = (Samples::default(), 0);
    let longest = pace.every * u32::try_from(pace.tokens).unwrap_or(u32::MAX) + PATIENCE;
    let all = async {
        while let Some(read) = reading.join_next().await {
            let Received { samples: more, tokens } = read??;
            samples.extend([more]);
            received += tokens;
        }
        anyhow::Ok(())
    };
    timeout(longest, all).await.context("tokens are missing")??;
    let (elapsed, processor) = (begin.elapsed(), cpu::used().saturating_sub(processor));
    Ok(Streamed { samples, sent: provider.sent(), received, elapsed, processor })
}
