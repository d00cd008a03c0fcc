//! What the database knows of a segment.

use crate::leaf::Sha256Digest;
use std::sync::Arc;

/// A segment that was recorded: from then on its events are read from it where they have no row any more.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Segment {
    pub id: i64,
    /// The file's name in the store.
    pub object: Arc<str>,
    /// Position of the first event. Between it and the last there are others that are not in the segment.
    pub first: u64,
    /// Position of the last event.
    pub last: u64,
    pub events: u64,
    /// The file's size.
    pub bytes: u64,
    /// SHA-256 of the events' leaf hashes, one after the other in order of position. In hex as JSON.
    #[serde(serialize_with = "hexadecimal")]
    pub leaf_hashes: Sha256Digest,
    /// The newest end of a stream in it, a position.
    pub ended: u64,
    /// Whether the last of its events' rows is gone.
    pub pruned: bool,
}

fn hexadecimal<S: serde::Serializer>(digest: &Sha256Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(digest))
}
