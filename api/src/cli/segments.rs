//! `docket segments`

use super::{print, progress};
use crate::{
    config::{Config, Flags},
    server::install_cryptography,
};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use docket_eventlog::{Log, Options, ReadOnly, SealLimits};
use serde_json::json;
use std::{process::ExitCode, time::Duration};

#[derive(Args, Debug)]
pub(super) struct Segments {
    #[command(subcommand)]
    command: Which,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// List the segments, one a line: file, positions, events, bytes
    List,
    /// Seal what can be sealed now. On SQLite the server must not run; it seals by itself with --seal-after
    Seal {
        /// Only model calls that ended so long ago: 30d, 12h; all that have ended by default
        #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration, default_value = "0s")]
        older_than: Duration,
        /// Give the space that was freed back to the file system (SQLite). Needs as much free space as the log takes; without it the
        /// log's file keeps its size, and new events take that space
        #[arg(long)]
        vacuum: bool,
        /// Remove files that look like segments and are not recorded. Only where no other log has its segments
        #[arg(long)]
        remove_orphans: bool,
    },
    /// Read every segment and check it; exit code 1 when one is missing or damaged
    Verify,
}

impl Segments {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        install_cryptography();
        let config = Config::load(flags)?;
        let (url, store) = (config.database_url()?, config.segment_store()?);
        let opened = "the log cannot be opened";
        match self.command {
            Which::List => {
                let log = ReadOnly::open(&url, Some(store)).await.context(opened)?;
                for segment in log.segments().await? {
                    let line = if self.json {
                        serde_json::to_string(&segment)?
                    } else {
                        let docket_eventlog::Segment { object, first, last, events, bytes, .. } = segment;
                        format!("{object} {first}-{last} {events} {bytes}")
                    };
                    print::data(&format!("{line}\n"))?;
                }
                log.close().await;
            }
            Which::Seal { older_than, vacuum, remove_orphans } => {
                let options = Options { segments: Some(store), ..Options::default() };
                let log = Log::open(&url, options).await.context(opened)?;
                let report = log.seal(SealLimits { older_than, least_events: 1 }).await?;
                let removed = if remove_orphans { log.remove_orphans().await? } else { Vec::new() };
                if vacuum {
                    log.vacuum().await?;
                }
                log.close().await;
                if self.json {
                    print::data(&format!("{}\n", json!({ "sealed": report, "removed": removed })))?;
                } else {
                    print::note(&format!(
                        "{} events of {} model calls were sealed in {} segments of {} bytes together; {} calls stay in rows; {} files \
                         were removed",
                        report.events,
                        report.streams,
                        report.segments,
                        report.bytes,
                        report.left,
                        removed.len()
                    ));
                }
            }
            Which::Verify => {
                let log = ReadOnly::open(&url, Some(store)).await.context(opened)?;
                let report = log.verify_segments(&progress::percent("verified")).await;
                log.close().await;
                let report = report?;
                if self.json {
                    print::data(&format!("{}\n", serde_json::to_string(&report)?))?;
                } else {
                    report.damaged.iter().for_each(|(object, reason)| print::note(&format!("{object}: {reason}")));
                    report.orphans.iter().for_each(|name| print::note(&format!("{name} is not recorded")));
                    print::note(&format!(
                        "{} segments with {} events are whole, {} are not",
                        report.segments,
                        report.events,
                        report.damaged.len()
                    ));
                }
                return Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
