//! The command line. Data goes to standard output, everything else to standard error.

mod backup;
mod bench;
mod client;
mod config;
mod events;
mod migrate;
mod print;
mod progress;
mod projections;
mod run;
mod segments;
mod serve;
mod token;

use crate::config::Flags;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Docket: an event-sourced control plane for coding agents.
#[derive(Debug, Parser)]
#[command(name = "docket", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control plane (the default)
    Serve,
    /// Send one prompt and stream the chat to the terminal
    Run(run::Run),
    /// API tokens
    Token(token::Token),
    /// The event log
    Events(events::Events),
    /// The views
    Projections(projections::Projections),
    /// Bring the database up to date, and end
    Migrate,
    /// Back up the log
    Backup(backup::Backup),
    /// Make a log of a backup
    Restore(backup::Restore),
    /// Sealed model calls, outside the database
    Segments(segments::Segments),
    /// Measure this build on this machine, beside its ceilings and peers
    Bench(bench::Bench),
    /// One of the processes that `bench` measures together
    #[command(hide = true)]
    BenchWriter(bench::Writer),
    /// The configuration
    Config(config::Show),
    /// Print a shell's completion script
    Completions { shell: clap_complete::Shell },
}

/// Parses the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return print::failure(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    let done = runtime.block_on(dispatch(cli));
    // What still runs is not waited for: everything that matters was flushed.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) => print::failure(&error),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let flags = cli.flags;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&flags).await,
        Command::Run(run) => run.execute(&flags).await,
        Command::Token(token) => token.execute(&flags).await,
        Command::Events(events) => events.execute(&flags).await,
        Command::Projections(projections) => projections.execute(&flags).await,
        Command::Migrate => migrate::migrate(&flags).await,
        Command::Backup(backup) => backup.execute(&flags).await,
        Command::Restore(restore) => restore.execute(&flags).await,
        Command::Segments(segments) => segments.execute(&flags).await,
        Command::Bench(bench) => bench.execute().await,
        Command::BenchWriter(writer) => writer.execute().await,
        Command::Config(show) => show.execute(&flags),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "docket", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
