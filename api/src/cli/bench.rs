//! `docket bench`, and what it starts.

use super::print;
use crate::bench::{self, Options, Part};
use anyhow::Result;
use clap::Args;
use docket_eventlog::DatabaseUrl;
use std::{process::ExitCode, time::Duration};
use tokio_util::sync::CancellationToken;

#[derive(Args, Debug)]
pub(super) struct Bench {
    /// A Postgres server to measure on as well; databases are made there and removed
    #[arg(long, value_name = "URL", env = "DOCKET_BENCH_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Duration of each single measurement
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these parts
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(super) async fn execute(self) -> Result<ExitCode> {
        super::serve::log_to_stderr("error");
        let parts = Part::ALL.into_iter().filter(|part| self.only.is_empty() || self.only.contains(part)).collect();
        let time = Duration::from_secs(self.seconds);
        if cfg!(debug_assertions) {
            print::note("This is a debug build: its figures say little. Use `cargo run --release -- bench`.");
        }
        let bench = bench::Bench::new(Options { postgres: self.postgres, time, parts, note: print::note })?;
        let stop = CancellationToken::new();
        tokio::spawn(super::serve::stop_on_signal(stop.clone()));
        let report = tokio::select! {
            report = bench.run() => Some(report),
            () = stop.cancelled() => None,
        };
        bench.clean().await?;
        let Some(report) = report else { return Ok(ExitCode::from(130)) };
        let shown = if self.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
        print::data(&shown)?;
        Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(Args, Debug)]
pub(super) struct Writer {
    #[arg(long, env = bench::WRITER_URL, hide_env_values = true)]
    log: DatabaseUrl,
    chats: usize,
    events: u64,
    milliseconds: u64,
}

impl Writer {
    pub(super) async fn execute(self) -> Result<ExitCode> {
        let Self { log, chats, events, milliseconds } = self;
        bench::write(&log, chats, events, Duration::from_millis(milliseconds)).await?;
        Ok(ExitCode::SUCCESS)
    }
}
