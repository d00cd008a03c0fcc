//! Several processes on one log: together they are to be no slower than one.

use super::{
    bulk,
    load::{self, Done, Load},
    measured::Measured,
    report::Figure,
    run::Bench,
    scratch::Backend,
};
use anyhow::{Context, Result};
use docket_eventlog::{DatabaseUrl, Log, Options};
use std::{io::Write, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

const PROCESSES: usize = 4;
const CHATS: usize = 100;
const ROUNDS: u32 = 3;
/// Events of one request; rows of the ceiling's transactions.
const REQUESTS: [u64; 2] = [1, 20];
const BULK: u64 = 1000;
/// What a writing process has the log's URL in, so that it is not seen among the processes.
pub const URL: &str = "DOCKET_BENCH_LOG";

pub(super) async fn measure(bench: &Bench, measured: &mut Measured) -> Result<()> {
    if !bench.scratch.backends().any(|backend| backend == Backend::Postgres) {
        measured.remark("several processes need Postgres");
        return Ok(());
    }
    for events in REQUESTS {
        let load = |chats| Load { chats, events, time: bench.time / ROUNDS };
        let (mut one, mut shared, mut each, mut ceiling) = (Done::default(), Done::default(), Done::default(), Done::default());
        for _ in 0..ROUNDS {
            one.add(of_processes(bench, 1, load(CHATS)).await?);
            shared.add(of_processes(bench, PROCESSES, load(CHATS / PROCESSES)).await?);
            each.add(of_processes(bench, PROCESSES, load(CHATS)).await?);
            ceiling.add(of_bulk(bench).await?);
        }
        for (done, chats) in [(shared, CHATS / PROCESSES), (each, CHATS)] {
            let name = format!("postgres, {PROCESSES} processes of {chats} chats, {events} events a request");
            let figure = Figure::new(name, done.per_second(), "events/s").beside("one of 100", one.per_second());
            measured.add(figure.beside(format!("bulk insert of {BULK}"), ceiling.per_second()));
        }
    }
    Ok(())
}

async fn of_bulk(bench: &Bench) -> Result<Done> {
    let database = bench.scratch.database(Backend::Postgres).await?;
    let done = bulk::insert(&database.url, BULK, bench.time / ROUNDS).await;
    bench.scratch.remove(database).await?;
    done
}

/// So many processes with this load each, all from one moment on.
async fn of_processes(bench: &Bench, count: usize, load: Load) -> Result<Done> {
    let database = bench.scratch.database(Backend::Postgres).await?;
    let DatabaseUrl::Postgres(url) = &database.url else { anyhow::bail!("several processes need Postgres") };
    let mut writers = Vec::with_capacity(count);
    for _ in 0..count {
        writers.push(Writer::start(url, load)?);
    }
    for writer in &mut writers {
        writer.line().await?;
    }
    for writer in &mut writers {
        writer.child.stdin.as_mut().context("its input")?.write_all(b"\n").await?;
    }
    let mut done = Done::default();
    for mut writer in writers {
        let line = writer.line().await?;
        let (events, micros) = line.split_once(' ').context("a writer's figures")?;
        done.events += events.parse::<u64>()?;
        done.elapsed = done.elapsed.max(Duration::from_micros(micros.parse()?));
        writer.child.wait().await?;
    }
    bench.scratch.remove(database).await?;
    Ok(done)
}

struct Writer {
    child: Child,
    output: BufReader<tokio::process::ChildStdout>,
}

impl Writer {
    /// This program again, as [`write`].
    fn start(url: &str, load: Load) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench-writer").args([load.chats.to_string(), load.events.to_string(), load.time.as_millis().to_string()]);
        command.env(URL, url).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("a writing process")?;
        let output = child.stdout.take().context("its output")?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        anyhow::ensure!(self.output.read_line(&mut line).await? > 0, "a writing process ended");
        Ok(line.trim_end().to_owned())
    }
}

/// What a writing process does: it says that it is ready, waits for a line, and says what it has done: events, and microseconds.
///
/// # Errors
/// When the log cannot be opened or written.
pub async fn write(url: &DatabaseUrl, chats: usize, events: u64, time: Duration) -> Result<()> {
    let log = Log::open(url, Options::default()).await?;
    let signal = async {
        say("ready")?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        Ok(())
    };
    let done = load::drive(&log, Load { chats, events, time }, signal).await?;
    log.close().await;
    say(&format!("{} {}", done.events, done.elapsed.as_micros()))
}

fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}
