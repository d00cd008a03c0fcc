//! Running the parts.

use super::{
    append, cpu,
    disk::{self, Writes},
    fan_out, latency,
    measured::Measured,
    part::Part,
    processes, projection, read, rebuild,
    report::{PartReport, Report},
    scratch::Scratch,
    space, stream_size,
};
use crate::server::install_cryptography;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Longer than any part takes on a slow machine; beyond it something hangs.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// How long a look at the disk takes at most.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Options {
    /// The URL of a server where databases may be made.
    pub postgres: Option<String>,
    /// Of one measurement; a part has several.
    pub time: Duration,
    pub parts: Vec<Part>,
    /// Where progress is told.
    pub note: fn(&str),
}

/// A run.
#[derive(Debug)]
pub struct Bench {
    pub(super) scratch: Scratch,
    pub(super) time: Duration,
    parts: Vec<Part>,
    note: fn(&str),
}

impl Bench {
    /// # Errors
    /// When there is no place for the temporary folder.
    pub fn new(options: Options) -> Result<Self> {
        let Options { postgres, time, parts, note } = options;
        // The HTTP clients want it before the first server does.
        install_cryptography();
        Ok(Self { scratch: Scratch::new(postgres)?, time, parts, note })
    }

    /// Runs all parts; one that fails does not keep the others from running.
    pub async fn run(&self) -> Report {
        let load_before = cpu::load();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            (self.note)(&format!("{part:?}"));
            parts.push(self.part(*part).await);
        }
        Report {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_before,
            load_after: cpu::load(),
            parts,
        }
    }

    async fn part(&self, part: Part) -> PartReport {
        let (begin, mut measured) = (Instant::now(), Measured::new(self.note));
        let measuring = Box::pin(async {
            match part {
                Part::Disk => disk::measure(self, &mut measured).await,
                Part::Append => append::measure(self, &mut measured).await,
                Part::Processes => processes::measure(self, &mut measured).await,
                Part::Latency => latency::measure(self, &mut measured).await,
                Part::StreamSize => stream_size::measure(self, &mut measured).await,
                Part::Read => read::measure(self, &mut measured).await,
                Part::Projection => projection::measure(self, &mut measured).await,
                Part::Rebuild => rebuild::measure(self, &mut measured).await,
                Part::Space => space::measure(self, &mut measured).await,
                Part::FanOut => fan_out::measure(self, &mut measured).await,
            }
        });
        let ended = match timeout(LONGEST, measuring).await {
            Ok(ended) => ended,
            Err(_) => Err(anyhow::anyhow!("it did not end within {} s", LONGEST.as_secs())),
        };
        let error = ended.err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            (self.note)(&format!("  FAILED: {error}"));
        }
        PartReport { part, seconds: begin.elapsed().as_secs_f64(), figures: measured.figures, error }
    }

    /// Removes what the parts left behind.
    ///
    /// # Errors
    /// When a database on the server cannot be removed.
    pub async fn clean(self) -> Result<()> {
        match timeout(Duration::from_secs(30), self.scratch.clean()).await {
            Ok(cleaned) => cleaned,
            Err(_) => bail!("the databases named docket_bench_… could not be removed in time"),
        }
    }

    /// What the disk does at this moment, for what is measured next: on a busy machine it differs from minute to minute.
    pub(super) async fn disk(&self) -> Result<Writes> {
        let (folder, time) = (self.scratch.folder().to_owned(), self.time.min(LOOK));
        tokio::task::spawn_blocking(move || disk::write(&folder, time)).await?
    }
}
