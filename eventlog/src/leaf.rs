//! The hash of an event, as the Merkle tree over the log takes it.

use crate::stream_id::StreamId;
use sha2::{Digest, Sha256};

pub type Sha256Digest = [u8; 32];

/// Names this layout; a change of it is a new name. 16 bytes.
const DOMAIN: &[u8; 16] = b"docket/leafv1\0\0\0";

pub(crate) fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256::digest(bytes).into()
}

/// The digest of what an event is called: aggregate type, aggregate id, event type and event version, each after its length
/// (u32, big-endian).
#[must_use]
pub fn name_digest(stream: &StreamId, event_type: &str, event_version: &str) -> Sha256Digest {
    let mut hasher = Sha256::new();
    for field in [&stream.aggregate_type, &stream.aggregate_id, event_type, event_version] {
        // Names have at most 255 bytes; the length cannot be cut.
        hasher.update(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(field.as_bytes());
    }
    hasher.finalize().into()
}

/// The RFC 6962 leaf hash of an event, SHA-256(0x00 || leaf): a function of what is stored and nothing else. `recorded_at` is in
/// microseconds; the digests are [`name_digest`] and the SHA-256 of the metadata's and the payload's exact bytes.
#[must_use]
pub fn leaf_hash(
    position: u64,
    sequence: u64,
    recorded_at: i64,
    name: &Sha256Digest,
    metadata: &Sha256Digest,
    payload: &Sha256Digest,
) -> Sha256Digest {
    Sha256::new()
        .chain_update([0])
        .chain_update(DOMAIN)
        .chain_update(position.to_be_bytes())
        .chain_update(sequence.to_be_bytes())
        .chain_update(recorded_at.to_be_bytes())
        .chain_update(name)
        .chain_update(metadata)
        .chain_update(payload)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed example, computed apart from this code: the layout is for ever.
    #[test]
    fn layout_is_fixed() {
        let mut name = Vec::new();
        for field in ["chat", "1", "chat.titled", "1.0"] {
            name.extend((field.len() as u32).to_be_bytes());
            name.extend(field.as_bytes());
        }
        let mut leaf = vec![0];
        leaf.extend(b"docket/leafv1\0\0\0");
        leaf.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        leaf.extend([0, 0, 0, 0, 0, 0, 0, 3]);
        leaf.extend([0, 0, 0, 0, 0, 0, 1, 0]);
        leaf.extend(sha256(&name));
        leaf.extend(sha256(b"{}"));
        leaf.extend(sha256(b"{\"title\":\"a\"}"));

        let stream = StreamId::new("chat", "1");
        let hash =
            leaf_hash(7, 3, 256, &name_digest(&stream, "chat.titled", "1.0"), &sha256(b"{}"), &sha256(b"{\"title\":\"a\"}"));
        assert_eq!(hash, sha256(&leaf));
    }
}
