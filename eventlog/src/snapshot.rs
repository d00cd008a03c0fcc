//! An aggregate's state after one of its events, as it is stored. Disposable: whatever is wrong with one, the events remain.

use crate::{leaf::Sha256Digest, stream_id::StreamId};
use serde::{Serialize, de::DeserializeOwned};

/// On its way to the database. The database adds the leaf hash of the event, and takes no snapshot of an event that it does not
/// have.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) stream: StreamId,
    /// Of the last event that the state holds.
    pub(crate) sequence: u64,
    pub(crate) state_version: u32,
    pub(crate) state: Vec<u8>,
}

/// As it was found, with what the log holds at its place.
#[derive(Debug)]
pub(crate) struct StoredSnapshot {
    pub(crate) sequence: u64,
    pub(crate) leaf_hash: Vec<u8>,
    pub(crate) state: Vec<u8>,
    /// Position and leaf hash of the stream's event with that sequence.
    pub(crate) event: Option<(u64, Vec<u8>)>,
}

/// Sequence, leaf hash and state; then the event's position and leaf hash.
pub(crate) type SnapshotRow = (i64, Vec<u8>, Vec<u8>, Option<i64>, Option<Vec<u8>>);

impl StoredSnapshot {
    pub(crate) fn from_row(row: SnapshotRow) -> Self {
        let (sequence, leaf_hash, state, position, event) = row;
        Self { sequence: sequence.unsigned_abs(), leaf_hash, state, event: position.map(i64::unsigned_abs).zip(event) }
    }

    /// The state, and the position of its last event; an error says why it cannot be used.
    pub(crate) fn restore<A: DeserializeOwned>(&self) -> Result<(A, u64), String> {
        let Some((position, leaf_hash)) = &self.event else { return Err("the log ends before it".into()) };
        if *leaf_hash != self.leaf_hash || leaf_hash.len() != size_of::<Sha256Digest>() {
            return Err("it is of another history".into());
        }
        Ok((decode(&self.state)?, *position))
    }
}

pub(crate) fn encode<A: Serialize>(state: &A) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    let compress = |json: &[u8]| {
        let mut compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
        // Damage would often still be JSON, and a state that never was.
        compressor.include_checksum(true)?;
        compressor.compress(json)
    };
    compress(&json).map_err(|error| error.to_string())
}

fn decode<A: DeserializeOwned>(stored: &[u8]) -> Result<A, String> {
    let json = zstd::stream::decode_all(stored).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed() {
        let state: Vec<u64> = (0..500).collect();
        let stored = encode(&state).unwrap();
        assert_eq!(decode::<Vec<u64>>(&stored).unwrap(), state);
        for byte in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[byte] ^= 0x10;
            if let Ok(other) = decode::<Vec<u64>>(&damaged) {
                assert_eq!(other, state, "byte {byte}");
            }
        }
        assert!(decode::<Vec<u64>>(&stored[..stored.len() - 1]).is_err() && decode::<Vec<u64>>(b"").is_err());
    }

    #[test]
    fn is_used_only_where_it_belongs() {
        let stored = |event| StoredSnapshot { sequence: 3, leaf_hash: vec![1; 32], state: encode(&7).unwrap(), event };
        assert_eq!(stored(Some((9, vec![1; 32]))).restore::<u32>(), Ok((7, 9)));
        assert!(stored(Some((9, vec![2; 32]))).restore::<u32>().is_err());
        assert!(stored(None).restore::<u32>().is_err());
        assert!(stored(Some((9, vec![1; 32]))).restore::<String>().is_err());
    }
}
