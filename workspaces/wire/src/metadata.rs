//! What the daemon says of itself and of the machine.

use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/metadata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The daemon's version.
    pub version: String,
    /// Where relative paths begin.
    pub directory: String,
    /// Since the daemon's start.
    pub uptime_ms: u64,
    /// Processors that it may use.
    pub cpus: usize,
    /// As the kernel names them, for example `linux` and `x86_64`.
    pub os: String,
    /// See `os`.
    pub arch: String,
    /// Of the machine, where it can be known.
    pub memory_bytes: Option<u64>,
    /// See `memory_bytes`.
    pub memory_available_bytes: Option<u64>,
    /// Of the file system that holds the workspace's directory.
    pub disk_bytes: u64,
    /// See `disk_bytes`.
    pub disk_available_bytes: u64,
    /// How the daemon is confined: `none`, or what is in force.
    pub confinement: String,
    /// Commands that run now.
    pub running: usize,
}
