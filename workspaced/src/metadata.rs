//! What the daemon says of itself and of the machine.

use crate::{refusal::Refusal, root::Root};
use docket_wire::metadata::Metadata;
use std::{collections::HashMap, time::Instant};

/// What does not change while the daemon runs.
#[derive(Clone, Debug)]
pub struct About {
    started: Instant,
    confinement: String,
}

impl About {
    /// `confinement` is what is in force.
    pub fn new(confinement: String) -> Self {
        Self { started: Instant::now(), confinement }
    }

    /// As of now.
    pub fn metadata(&self, root: &Root, running: usize) -> Result<Metadata, Refusal> {
        let disk = rustix::fs::statvfs(root.dir()).map_err(|error| Refusal::io(".", &error.into()))?;
        let memory = memory();
        Ok(Metadata {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            directory: root.dir().display().to_string(),
            uptime_ms: self.started.elapsed().as_millis() as u64,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            memory_bytes: memory.get("MemTotal").copied(),
            memory_available_bytes: memory.get("MemAvailable").copied(),
            disk_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            disk_available_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            confinement: self.confinement.clone(),
            running,
        })
    }
}

fn memory() -> HashMap<String, u64> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let kib: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
            Some((name.to_owned(), kib * 1024))
        })
        .collect()
}
