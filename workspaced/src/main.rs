//! The daemon's program.

use clap::{Parser, Subcommand};
use docket_workspaced::{confine::Confinement, keep, link::Ended, process::supervise, run, settings::Settings};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Offers the files and processes of this machine to a control plane, over a connection that this machine makes.
#[derive(Debug, Parser)]
#[command(name = "docket-workspaced", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Run(Settings),
    /// Run the daemon and start it again when it crashes; at the end, end all that it started.
    Keep(Settings),
    /// Tell how the daemon could be confined here, or fail.
    #[command(hide = true)]
    Probe,
    /// Run one process. The daemon does this.
    #[command(hide = true)]
    Supervise {
        /// The process's directory.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Whatever this process was given beyond the usual three is for no command.
    close_fds::set_fds_cloexec(3, &[]);
    if let Command::Supervise { dir } = &arguments.command {
        return supervise::run(dir).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let filter = std::env::var("DOCKET_WORKSPACED_LOG").unwrap_or_else(|_| "warn,docket_workspaced=info".to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let ended = match &arguments.command {
        Command::Run(settings) => run::hide_token(&settings.state).and_then(|()| run::run(settings)).map(log),
        Command::Keep(settings) => {
            let rest = std::env::args_os().skip(2).collect();
            run::hide_token(&settings.state).and_then(|()| keep::keep(rest))
        }
        Command::Probe => probe(),
        Command::Supervise { .. } => Ok(()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the daemon cannot run");
            ExitCode::FAILURE
        }
    }
}

fn probe() -> anyhow::Result<()> {
    let in_force = Confinement::default().enforce()?;
    Ok(writeln!(std::io::stdout(), "{in_force}")?)
}

fn log(ended: Ended) {
    tracing::info!(?ended, "the daemon ends");
}
