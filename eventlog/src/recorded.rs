//! An event as the log holds it.

use crate::{
    encoded::Encoded,
    error::ReadError,
    leaf::{Sha256Digest, leaf_hash, name_digest, sha256},
    stream_id::StreamId,
};
use bytes::Bytes;
use docket_domain::Metadata;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use uuid::Uuid;

/// One durable event. It is encoded once and shared by all its readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The place in the whole log. On SQLite and Postgres from 1 and without holes; on KurrentDB only rising.
    pub position: u64,
    pub stream: StreamId,
    /// The aggregate whose readers also want this stream: a chat's id for the chat and all its model calls.
    pub scope: Option<Uuid>,
    /// The place in the stream, from 1, without holes.
    pub sequence: u64,
    /// In full: `chat.turn_started`.
    pub event_type: Arc<str>,
    pub event_version: Arc<str>,
    /// JSON, byte for byte as it was appended.
    pub payload: Bytes,
    /// JSON, byte for byte as it was stored: a flat object of strings. [`Recorded::metadata`] decodes it.
    pub metadata: Bytes,
    /// When it was written, in µs since 1970, UTC. Never decreases along positions; on KurrentDB as far as its clock does not.
    pub recorded_at: i64,
    /// See [`leaf_hash`].
    pub leaf_hash: Sha256Digest,
    /// See [`Recorded::encoded`].
    pub encoded: Encoded,
}

impl Recorded {
    /// Who did it, on whose behalf, why.
    ///
    /// # Errors
    /// [`ReadError::Decode`] when another program wrote the event with metadata of its own.
    pub fn metadata(&self) -> Result<Metadata, ReadError> {
        crate::metadata::decode(&self.metadata).map_err(|error| self.undecodable(&error))
    }

    /// The event itself.
    ///
    /// # Errors
    /// [`ReadError::Decode`] when the payload is not an `E`.
    pub fn decode<E: DeserializeOwned>(&self) -> Result<E, ReadError> {
        serde_json::from_slice(&self.payload).map_err(|error| self.undecodable(&error))
    }

    /// The leaf hash computed anew from the other fields. It differs from [`Recorded::leaf_hash`] only if a row was changed.
    #[must_use]
    pub fn computed_leaf_hash(&self) -> Sha256Digest {
        let name = name_digest(&self.stream, &self.event_type, &self.event_version);
        leaf_hash(self.position, self.sequence, self.recorded_at, &name, &sha256(&self.metadata), &sha256(&self.payload))
    }

    /// The event as it goes out to readers: encoded by the first of them and shared by all. There is one such form, so everybody
    /// passes the same function.
    pub fn encoded(&self, encode: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.encoded.get_or_make(|| encode(self)).clone()
    }

    /// What it takes of memory, about, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.payload.len() + 300
    }

    /// The same, and what it takes when it is encoded, too.
    pub(crate) fn weight_encoded(&self) -> usize {
        2 * self.weight()
    }

    fn undecodable(&self, error: &serde_json::Error) -> ReadError {
        ReadError::Decode { position: self.position, event_type: self.event_type.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event that says little.
    pub(crate) fn event(position: u64, scope: Option<Uuid>) -> Arc<Recorded> {
        Arc::new(Recorded {
            position,
            stream: StreamId::new("chat", "1"),
            scope,
            sequence: position,
            event_type: "chat.titled".into(),
            event_version: "1.0".into(),
            payload: "{}".into(),
            metadata: "{}".into(),
            recorded_at: 0,
            leaf_hash: [0; 32],
            encoded: Encoded::default(),
        })
    }

    pub(crate) fn run(positions: std::ops::RangeInclusive<u64>) -> Vec<Arc<Recorded>> {
        positions.map(|position| event(position, None)).collect()
    }

    #[test]
    fn is_encoded_once_and_is_the_same_event_afterwards() {
        let (one, other) = (event(1, None), event(1, None));
        assert_eq!(one.encoded(|event| event.position.to_string().into()), "1");
        assert_eq!(one.encoded(|_| unreachable!()), "1");
        assert_eq!(one, other);
    }
}
