//! `docket serve`

use super::print;
use crate::{
    config::{Config, Flags},
    owner_token,
    server::Server,
};
use anyhow::Result;
use std::{io::IsTerminal, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Logs go to standard error: as text on a terminal, else as JSON.
pub(super) fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber is refused; the first goes on.
    let _ = if std::io::stderr().is_terminal() { logs.try_init() } else { logs.json().try_init() };
}

pub(super) async fn serve(flags: &Flags) -> Result<ExitCode> {
    log_to_stderr("info,sqlx=warn,iroh=warn,iroh_relay=warn");
    let config = Config::load(flags)?;
    let server = Server::start(&config).await?;
    print::note(&format!(
        "Docket listens on http://{}\nThe owner's token is in {}",
        server.address(),
        owner_token::path(&config.data_dir).display()
    ));
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    server.serve(stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// The first SIGTERM or SIGINT ends cleanly, the second at once.
pub(super) async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be handled");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(130);
        }
        stop.cancel();
    }
}
