//! Processes: each a command line run by `sh -c` in its own session, known by an id that follows from the idempotency key.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `POST /v1/processes`: runs a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartProcess {
    /// For `sh -c`.
    pub command: String,
    /// How long to wait for its end. After that it goes on, and the answer has its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Do not wait at all.
    #[serde(default)]
    pub background: bool,
    /// Where it runs; the workspace's directory by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Additional variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Opaque: whose process this is. Another owner neither sees nor signals it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// `GET /v1/processes/{id}/output`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputQuery {
    /// Answer when the process has ended, or after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Must be the process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// `GET /v1/processes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// How far a process is and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessOutput {
    /// For later requests.
    pub process_id: String,
    /// Whether it goes on.
    pub running: bool,
    /// Of an ended process, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The beginning and the end of standard output and standard error, as they came. Bytes that are not UTF-8 are replaced.
    pub output: String,
    /// What `output` leaves out.
    pub truncated: Option<Truncated>,
    /// From the start until the end, or until now.
    pub wall_ms: u64,
}

/// How much of the output is missing in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Bytes that the process wrote.
    pub original_bytes: u64,
    /// Bytes that were kept.
    pub retained_bytes: u64,
    /// Bytes left out, between the head and the tail.
    pub omitted_bytes: u64,
}

/// Processes: running ones first, each group newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessList {
    /// At most [`crate::limits::LISTED`].
    pub processes: Vec<ProcessInfo>,
}

/// One process in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// For other requests.
    pub process_id: String,
    /// As sent; a long one is cut.
    pub command: String,
    /// Where it runs.
    pub workdir: String,
    /// Whether nobody waited for it from the beginning.
    pub background: bool,
    /// Whether it goes on.
    pub running: bool,
    /// See [`ProcessOutput`].
    pub exit_code: Option<i32>,
    /// See [`ProcessOutput`].
    pub signal: Option<i32>,
    /// Whether it ended without anyone having seen how.
    pub outcome_unknown: bool,
    /// Milliseconds since 1970.
    pub started_at_ms: u64,
    /// See `started_at_ms`.
    pub exited_at_ms: Option<u64>,
}

/// `POST /v1/processes/{id}/signal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalProcess {
    /// Which.
    pub signal: Signal,
    /// Must be the process's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What can be sent to a process and everything that it started in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// The signal was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalled {
    /// To this process's group.
    pub process_id: String,
}
