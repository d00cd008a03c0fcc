//! What a segment says of itself before its body.

use super::error::SegmentError;
use crate::leaf::Sha256Digest;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"docketsg";
const FORMAT: u32 = 1;
/// Everything that the digest in it covers, and the digest.
const COVERED: usize = 8 + 4 + 6 * 8 + 32;
const LENGTH: usize = COVERED + 32;

/// Events of one segment. A stream with more stays in rows.
pub(crate) const MAX_EVENTS: u64 = 1 << 20;
/// Bytes of an unpacked body, and of all payloads together: what a reader is ready to hold in memory.
pub(crate) const MAX_BYTES: u64 = 256 << 20;

/// The first 124 bytes: a magic word, the format's number, these fields in their order (numbers big-endian), and the SHA-256 of all of
/// that followed by the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Of the first event.
    pub(crate) first: u64,
    /// Of the last event.
    pub(crate) last: u64,
    pub(crate) events: u64,
    /// Bytes of all payloads together.
    pub(crate) payloads: u64,
    /// Bytes of the body when it is decompressed.
    pub(crate) unpacked: u64,
    /// Bytes of the body as it follows.
    pub(crate) packed: u64,
    /// SHA-256 of the events' leaf hashes, one after the other in order of position.
    pub(crate) leaf_hashes: Sha256Digest,
}

impl Header {
    /// The segment: this header and its body.
    pub(super) fn before(&self, body: &[u8]) -> Vec<u8> {
        let mut segment = Vec::with_capacity(LENGTH + body.len());
        segment.extend_from_slice(MAGIC);
        segment.extend_from_slice(&FORMAT.to_be_bytes());
        for number in [self.first, self.last, self.events, self.payloads, self.unpacked, self.packed] {
            segment.extend_from_slice(&number.to_be_bytes());
        }
        segment.extend_from_slice(&self.leaf_hashes);
        segment.extend_from_slice(&digest(&segment, body));
        segment.extend_from_slice(body);
        segment
    }

    /// The header of a whole segment, and its body, once all of it is found to be what was written.
    pub(super) fn split(segment: &[u8]) -> Result<(Self, &[u8]), SegmentError> {
        let (magic, rest) = segment.split_first_chunk::<8>().ok_or(SegmentError::NotASegment)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(SegmentError::NotASegment)?;
        if magic != MAGIC {
            return Err(SegmentError::NotASegment);
        }
        if u32::from_be_bytes(*format) != FORMAT {
            return Err(SegmentError::Format(u32::from_be_bytes(*format)));
        }
        let short = || SegmentError::Length { expected: LENGTH as u64, actual: segment.len() as u64 };
        let (mut numbers, mut rest) = ([0; 6], rest);
        for number in &mut numbers {
            let (bytes, after) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            (*number, rest) = (u64::from_be_bytes(*bytes), after);
        }
        let (leaf_hashes, rest) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let (stored, body) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let [first, last, events, payloads, unpacked, packed] = numbers;
        if packed != body.len() as u64 {
            let expected = packed.saturating_add(LENGTH as u64);
            return Err(SegmentError::Length { expected, actual: segment.len() as u64 });
        }
        if digest(&segment[..COVERED], body) != *stored {
            return Err(SegmentError::Digest);
        }
        limit("number of events", events, MAX_EVENTS)?;
        limit("payloads", payloads, MAX_BYTES)?;
        limit("body", unpacked, MAX_BYTES)?;
        if events == 0 {
            return Err(SegmentError::Empty);
        }
        Ok((Self { first, last, events, payloads, unpacked, packed, leaf_hashes: *leaf_hashes }, body))
    }
}

pub(super) fn limit(what: &'static str, size: u64, limit: u64) -> Result<(), SegmentError> {
    if size > limit { Err(SegmentError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn digest(covered: &[u8], body: &[u8]) -> Sha256Digest {
    Sha256::new().chain_update(covered).chain_update(body).finalize().into()
}
