//! What a command costs in a chat of few and of very many events.

use super::{
    load::{context, metadata},
    measured::Measured,
    report::Figure,
    run::Bench,
    samples::Samples,
    scratch::Backend,
    turns::Turns,
};
use anyhow::{Context as _, Result};
use docket_domain::{
    Context,
    chat::{Chat, ChatCommand},
    ids::ChatId,
};
use docket_eventlog::{Aggregates, Log, Options};
use std::time::Instant;
use uuid::Uuid;

const SIZES: [u64; 3] = [10, 10_000, 1_000_000];
/// Turns that are measured: of a prompt and three commands of the worker's each.
const TURNS: usize = 75;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        on(bench, backend, measured).await.with_context(|| backend.to_string())?;
    }
    Ok(())
}

async fn on(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let mut smallest = None;
    for size in SIZES {
        let database = bench.scratch.database(backend).await?;
        let log = Log::open(&database.url, Options::default()).await?;
        let done = of_size(&log, size).await;
        log.close().await;
        bench.scratch.remove(database).await?;
        let done = done?;

        let values = [done.prompts.median(), done.others.median(), done.others.p99()];
        let first = *smallest.get_or_insert(values);
        let name = format!("{backend}, chat of {size} events");
        for (what, value, first) in [
            ("a prompt, p50", values[0], first[0]),
            ("the worker's commands, p50", values[1], first[1]),
            ("the worker's commands, p99", values[2], first[2]),
        ] {
            measured.add(Figure::new(format!("{name}, {what}"), value, "ms").beside("that of the smallest", first));
        }
        measured.figure(&format!("{name}, cold load"), done.cold, "ms");
    }
    Ok(())
}

struct Done {
    /// With the aggregate in memory.
    prompts: Samples,
    others: Samples,
    /// In milliseconds.
    cold: f64,
}

async fn of_size(log: &Log, size: u64) -> Result<Done> {
    let (chat, turns) = (ChatId(Uuid::now_v7()), Turns::new(log.worker()));
    let written = turns.fill(log, chat, size).await?;
    let chats = Aggregates::<Chat>::new(log.clone());
    let begin = Instant::now();
    let loaded = chats.read(chat.0, |_, sequence| sequence).await?;
    let cold = begin.elapsed().as_secs_f64() * 1000.0;
    anyhow::ensure!(loaded == written, "{loaded} of {written} events were loaded");

    let (mut prompts, mut others) = (Samples::default(), Samples::default());
    for _ in 0..TURNS {
        for command in turns.next()? {
            let samples = if matches!(command, ChatCommand::Submit { .. }) { &mut prompts } else { &mut others };
            let context = Context { id: Uuid::now_v7(), ..context() };
            let one = Instant::now();
            chats.execute(chat.0, Some(chat.0), metadata(log.worker(), chat), &context, command, vec![]).await?;
            samples.add(one.elapsed());
        }
    }
    Ok(Done { prompts, others, cold })
}
