//! Durable token events a second.

use super::{
    bulk,
    load::{self, Done, Load, many},
    measured::Measured,
    plain_cqrs,
    report::Figure,
    run::Bench,
    scratch::Backend,
};
use anyhow::{Context, Result};
use docket_eventlog::{Log, Options};

/// Chats that stream at the same time.
const CHATS: [usize; 3] = [1, 10, 100];
/// Tokens that wait when the last request is durable, where a model is fast.
const REQUEST: u64 = 20;
/// Rows of the ceiling's transactions.
const BULK: u64 = 1000;

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    for backend in bench.scratch.backends() {
        on(bench, backend, measured).await.with_context(|| backend.to_string())?;
    }
    Ok(())
}

async fn on(bench: &Bench, backend: Backend, measured: &mut Measured) -> Result<()> {
    let fdatasync = bench.disk().await?.samples;
    let single = ceiling(bench, backend, 1).await?;
    let bulk = ceiling(bench, backend, BULK).await?.per_second;
    let ceiling_name = format!("bulk insert of {BULK}");

    let mut plain = Vec::new();
    for chats in CHATS {
        if backend == Backend::Postgres {
            plain.push((chats, of_plain_cqrs(bench, backend, chats).await?));
        }
    }
    let of_plain = |chats| plain.iter().find(|(of, _)| *of == chats).map(|(_, done)| done);

    for chats in CHATS {
        let done = ours(bench, backend, chats, 1).await?;
        if chats == 1 {
            for (name, ours, bare, sync) in [
                ("p50", done.requests.median(), single.commits.median(), fdatasync.median()),
                ("p99", done.requests.p99(), single.commits.p99(), fdatasync.p99()),
            ] {
                let figure = Figure::new(format!("{backend}, a lone append, {name}"), ours, "ms");
                measured.add(figure.beside("bare insert and commit", bare).beside("fdatasync", sync));
            }
        }
        let mut figure = Figure::new(format!("{backend}, {}, 1 event a request", many(chats)), done.per_second, "events/s");
        if chats == 1 {
            figure = figure.beside("bare inserts of 1", single.per_second);
        }
        if let Some(plain) = of_plain(chats) {
            figure = figure.beside("plain cqrs-es", plain.per_second);
        }
        measured.add(figure);
    }
    for (chats, events) in CHATS.map(|chats| (chats, REQUEST)).into_iter().chain([(1, BULK)]) {
        let done = ours(bench, backend, chats, events).await?;
        let what = format!("{backend}, {}, {events} events a request", many(chats));
        let mut figure = Figure::new(what, done.per_second, "events/s").beside(&ceiling_name, bulk);
        // The bare insert of as many rows as all chats have waiting: what is left is the cost of this path itself.
        let waiting = events * chats as u64;
        if waiting < BULK {
            let same = ceiling(bench, backend, waiting).await?;
            figure = figure.beside(format!("bulk insert of {waiting}"), same.per_second);
        }
        if let Some(plain) = of_plain(chats).filter(|_| events == REQUEST) {
            figure = figure.beside("plain cqrs-es", plain.per_second);
        }
        measured.add(figure);
        if chats == CHATS[2] {
            measured.figure("  p50 of a request", done.requests.median(), "ms");
            measured.figure("  p99 of a request", done.requests.p99(), "ms");
        }
    }
    Ok(())
}

async fn ours(bench: &Bench, backend: Backend, chats: usize, events: u64) -> Result<Done> {
    let database = bench.scratch.database(backend).await?;
    let log = Log::open(&database.url, Options::default()).await?;
    let done = load::drive(&log, Load { chats, events, time: bench.time }).await;
    log.close().await;
    bench.scratch.remove(database).await?;
    done
}

async fn of_plain_cqrs(bench: &Bench, backend: Backend, chats: usize) -> Result<Done> {
    let database = bench.scratch.database(backend).await?;
    let done = plain_cqrs::drive(&database.url, Load { chats, events: 1, time: bench.time }).await;
    bench.scratch.remove(database).await?;
    done
}

async fn ceiling(bench: &Bench, backend: Backend, rows: u64) -> Result<bulk::Bulk> {
    let database = bench.scratch.database(backend).await?;
    let done = bulk::insert(&database.url, rows, bench.time).await;
    bench.scratch.remove(database).await?;
    done
}
