//! What one process did and saw.

use serde::{Deserialize, Serialize};
use std::{fs::File, io::BufReader, path::Path};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub operations: Vec<Operation>,
    pub readers: Vec<Seen>,
}

/// One append. Times are those of the machine's monotonic clock, in ns, the same for all processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    pub producer: u64,
    /// Counts the producer's appends.
    pub number: u64,
    pub stream: String,
    pub expected: Option<u64>,
    pub events: u64,
    pub began: u64,
    pub ended: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Written { position: u64, sequence: u64 },
    Repeated { position: u64, sequence: u64 },
    Conflict { actual: u64 },
}

/// What a reader saw.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Of all events from the first on, as of every so many: [`fold`] of their leaf hashes.
    pub digests: Vec<u64>,
    pub reconnections: usize,
    /// When the newest position was asked for and answered, and what it was.
    pub heads: Vec<(u64, u64, u64)>,
}

/// Events from one digest to the next.
pub const STRIDE: u64 = 1_000;

pub fn fold(digest: u64, leaf_hash: &[u8; 32]) -> u64 {
    digest.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from_be_bytes(leaf_hash[..8].try_into().unwrap())
}

/// What the append's event of this number says.
pub fn payload(producer: u64, number: u64, at: u64) -> String {
    format!("[{producer},{number},{at}]")
}

impl Report {
    pub fn write(&self, path: &Path) {
        serde_json::to_writer(std::io::BufWriter::new(File::create(path).unwrap()), self).unwrap();
    }

    pub fn read(path: &Path) -> Self {
        serde_json::from_reader(BufReader::new(File::open(path).unwrap())).unwrap()
    }
}
