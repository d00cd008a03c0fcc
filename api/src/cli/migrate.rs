//! `docket migrate`

use super::print;
use crate::config::{Config, Flags};
use anyhow::{Context, Result};
use docket_eventlog::{Log, Options};
use std::process::ExitCode;

pub(super) async fn migrate(flags: &Flags) -> Result<ExitCode> {
    let config = Config::load(flags)?;
    std::fs::create_dir_all(&config.data_dir)?;
    // Opening a log brings its tables up to date.
    let log = Log::open(&config.database_url()?, Options::default()).await.context("the log cannot be opened")?;
    let head = log.head().await?;
    log.close().await;
    print::note(&format!("{} is up to date; the log is at position {head}", config.database_url()?));
    Ok(ExitCode::SUCCESS)
}
