//! `docket backup`, `docket restore`

use super::{print, progress};
use crate::{
    config::{Config, Flags},
    server::install_cryptography,
};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use docket_eventlog::{BackupReport, FileStore, ReadOnly, restore, verify_backup};
use std::process::ExitCode;

/// Writes the log's events and blobs to a place of their own, also while a server runs. What is there from an earlier backup of the
/// same log is not written again. The rest of the data folder (owner.token, keys, workspaces, docket.toml) is NOT in a backup: keep it
/// apart.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Option<Which>,
    /// A folder, which is made if need be; or s3://BUCKET/PREFIX in a build with the feature `s3`
    #[arg(value_name = "DEST", required = true)]
    destination: Option<String>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Read all of a backup, and check every file, event and blob
    Verify {
        /// Where the backup lies
        source: String,
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Makes a log of a backup, in an empty database (--database) of either kind: the same positions, times and hashes. Everything is
/// checked, and written as a whole or not at all.
#[derive(Args, Debug)]
pub(super) struct Restore {
    /// Where the backup lies
    source: String,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        install_cryptography();
        match (self.command, self.destination) {
            (Some(Which::Verify { source, json }), _) => {
                let report = verify_backup(&FileStore::open(&source)?, &progress::percent("verified")).await?;
                show("is whole: it has", report, json)
            }
            (None, Some(destination)) => {
                let config = Config::load(flags)?;
                let log = ReadOnly::open(&config.database_url()?, Some(config.segment_store()?)).await;
                let log = log.context("the log cannot be opened")?;
                let done = log.backup(&FileStore::open(&destination)?, &progress::percent("backed up")).await;
                log.close().await;
                show("was written: to what was there came", done?, self.json)
            }
            (None, None) => bail!("where to?"),
        }
    }
}

impl Restore {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        install_cryptography();
        let config = Config::load(flags)?;
        std::fs::create_dir_all(&config.data_dir)?;
        let source = FileStore::open(&self.source)?;
        let report = restore(&source, &config.database_url()?, &progress::percent("restored")).await?;
        show("was restored:", report, self.json)
    }
}

fn show(what: &str, report: BackupReport, json: bool) -> Result<ExitCode> {
    let BackupReport { head, events, blobs, bytes } = report;
    if json {
        print::data(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print::note(&format!("The backup up to position {head} {what} {events} events and {blobs} blobs in {bytes} bytes"));
    }
    Ok(ExitCode::SUCCESS)
}
