//! Durable token events a second.

use super::{
    bulk,
    load::{self, Done, Load, many},
    measured::Measured,
    plain_cqrs,
    report::Figure,
    run::Bench,
    samples::Samples,
    scratch::Backend,
};
use anyhow::{Context, Result};
use docket_eventlog::{Log, Options};
use std::future::ready;

/// Chats that stream at the same time.
const CHATS: [usize; 3] = [1, 10, 100];
/// Tokens that wait when the last request is durable, where a model is fast.
const REQUEST: u64 = 20;
/// Rows of the ceiling's transactions.
const BULK: u64 = 1000;
/// A model call streams about a thousand tokens. Plain cqrs-es reads all of them for each new one, so what it does after half of them
/// is its mean over the call.
const HALF_WAY: u64 = 500;
/// A figure and what stands beside it take turns: what a disk does differs from one second to the next.
const ROUNDS: u32 = 3;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        lone(bench, backend, measured).await.with_context(|| backend.to_string())?;
        let many = CHATS.into_iter().skip(1).map(|chats| (chats, 1));
        let requests = CHATS.map(|chats| (chats, REQUEST)).into_iter().chain([(1, BULK)]);
        for (chats, events) in many.chain(requests) {
            rate(bench, backend, chats, events, measured).await.with_context(|| backend.to_string())?;
        }
    }
    Ok(())
}

/// One event after the other: what a commit costs.
async fn lone(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let (mut ours, mut bare, mut plain) = (Done::default(), Done::default(), Done::default());
    let mut disk = Samples::default();
    for _ in 0..ROUNDS {
        disk.extend([bench.disk().await?.samples]);
        bare.add(of_bulk(bench, backend, 1).await?);
        ours.add(of_log(bench, backend, 1, 1).await?);
        if backend == Backend::Postgres {
            plain.add(of_plain_cqrs(bench, backend, 1, 0).await?);
        }
    }
    let name = format!("{backend}, a lone append");
    let (us, them) = (&ours.requests, &bare.requests);
    let median = Figure::new(format!("{name}, p50"), us.median(), "ms").beside("bare insert", them.median());
    measured.add(median.beside("fdatasync", disk.median()));
    let slow = Figure::new(format!("{name}, p99"), us.p99(), "ms").beside("bare insert", them.p99());
    measured.add(slow.beside("fdatasync", disk.p99()));
    let mut rate = Figure::new(name, ours.per_second(), "events/s").beside("bare insert", bare.per_second());
    if plain.events > 0 {
        rate = rate.beside("plain cqrs-es", plain.per_second());
    }
    measured.add(rate);
    Ok(())
}

async fn rate(bench: &Bench, backend: Backend, chats: usize, events: u64, measured: &mut Measured) -> Result<()> {
    let (mut ours, mut plain, mut plain_half_way) = (Done::default(), Done::default(), Done::default());
    // The largest batches show what the tables take at all; batches of as many rows as all chats have waiting show what the path
    // itself costs.
    let waiting = events * chats as u64;
    let sizes = if waiting < BULK { vec![BULK, waiting] } else { vec![BULK] };
    let mut ceilings: Vec<_> = sizes.into_iter().map(|rows| (rows, Done::default())).collect();
    for _ in 0..ROUNDS {
        ours.add(of_log(bench, backend, chats, events).await?);
        for (rows, ceiling) in &mut ceilings {
            ceiling.add(of_bulk(bench, backend, *rows).await?);
        }
        if backend == Backend::Postgres && events < BULK {
            plain.add(of_plain_cqrs(bench, backend, chats, 0).await?);
            plain_half_way.add(of_plain_cqrs(bench, backend, chats, HALF_WAY).await?);
        }
    }
    let each = if events == 1 { "1 event".to_owned() } else { format!("{events} events") };
    let name = format!("{backend}, {}, {each} a request", many(chats));
    let mut figure = Figure::new(&name, ours.per_second(), "events/s");
    for (rows, ceiling) in &ceilings {
        figure = figure.beside(format!("bulk insert of {rows}"), ceiling.per_second());
    }
    if plain.events > 0 {
        figure = figure.beside("plain cqrs-es at a call's begin", plain.per_second());
        figure = figure.beside(format!("plain cqrs-es after {HALF_WAY} tokens"), plain_half_way.per_second());
    }
    measured.add(figure);
    measured.figure(&format!("{name}, p50"), ours.requests.median(), "ms");
    measured.figure(&format!("{name}, p99"), ours.requests.p99(), "ms");
    Ok(())
}

async fn of_log(bench: &Bench, backend: Backend, chats: usize, events: u64) -> Result<Done> {
    let database = bench.scratch.database(backend).await?;
    let log = Log::open(&database.url, Options::default()).await?;
    let done = load::drive(&log, Load { chats, events, time: bench.time / ROUNDS }, ready(Ok(()))).await;
    log.close().await;
    bench.scratch.remove(database).await?;
    done
}

async fn of_plain_cqrs(bench: &Bench, backend: Backend, chats: usize, streamed: u64) -> Result<Done> {
    let database = bench.scratch.database(backend).await?;
    let done = plain_cqrs::drive(&database.url, Load { chats, events: 1, time: bench.time / ROUNDS }, streamed).await;
    bench.scratch.remove(database).await?;
    done
}

async fn of_bulk(bench: &Bench, backend: Backend, rows: u64) -> Result<Done> {
    let database = bench.scratch.database(backend).await?;
    let done = bulk::insert(&database.url, rows, bench.time / ROUNDS).await;
    bench.scratch.remove(database).await?;
    done
}
