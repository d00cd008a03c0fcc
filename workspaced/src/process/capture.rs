//! A command's output while it is being written: the beginning, the end, and how much there was.

use docket_wire::limits::{OUTPUT_HEAD_BYTES, OUTPUT_TAIL_BYTES};
use serde::{Deserialize, Serialize};

/// Head and tail, of bounded size whatever is written.
#[derive(Debug, Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

/// The first line of a kept output; head and tail follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Bytes written in all.
    pub total: u64,
    /// Bytes of the head that follows.
    pub head: usize,
}

impl Capture {
    /// Takes what was written next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = OUTPUT_HEAD_BYTES - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(OUTPUT_TAIL_BYTES)..];
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 4 * OUTPUT_TAIL_BYTES {
            self.tail.drain(..self.tail.len() - OUTPUT_TAIL_BYTES);
        }
    }

    /// Bytes written in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// As it is kept.
    pub fn bytes(&self) -> Vec<u8> {
        let header = Header { total: self.total, head: self.head.len() };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.head);
        bytes.extend_from_slice(&self.tail[self.tail.len().saturating_sub(OUTPUT_TAIL_BYTES)..]);
        bytes
    }
}
