//! An append on its way to the writer: checked, hashed and encoded by its caller, so that the one writer has little to do.

use crate::{
    append::{Append, Appended, Expected, NewEvent},
    blob::Blob,
    error::AppendError,
    leaf::{Sha256Digest, name_digest, sha256},
    stream_id::StreamId,
};
use bytes::Bytes;
use serde::de::IgnoredAny;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// Bytes of one event's payload.
pub const MAX_PAYLOAD: usize = 16 << 20;
/// Bytes of one append, with its blobs as stored.
pub const MAX_APPEND: usize = 64 << 20;
/// Events of one append.
pub const MAX_EVENTS: usize = 10_000;
/// Bytes of an aggregate's type or id, an event's type or version. An index on Postgres takes no more than about 2,700.
const MAX_NAME: usize = 255;

/// What is written: the append, encoded.
pub(crate) struct Request {
    pub(crate) stream: StreamId,
    pub(crate) scope: Option<Uuid>,
    pub(crate) expected: Expected,
    pub(crate) command: Option<Uuid>,
    pub(crate) metadata: Bytes,
    pub(crate) metadata_digest: Sha256Digest,
    pub(crate) events: Vec<Encoded>,
    pub(crate) blobs: Vec<Blob>,
    /// All bytes, about.
    pub(crate) weight: usize,
}

pub(crate) struct Encoded {
    pub(crate) event: NewEvent,
    pub(crate) name_digest: Sha256Digest,
    pub(crate) payload_digest: Sha256Digest,
}

/// A request and the one who waits for its answer.
pub(crate) struct Pending {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// Its part of the memory that the queue may take; given back with the answer.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl Request {
    /// Refuses what no database would take, before it can spoil the batch it would be part of.
    pub(crate) fn new(append: Append) -> Result<Self, AppendError> {
        let Append { stream, scope, expected, events, blobs, metadata } = append;
        name("the aggregate type", &stream.aggregate_type)?;
        name("the aggregate id", &stream.aggregate_id)?;
        if events.is_empty() {
            return Err(invalid("it has no events"));
        }
        limit("number of events", events.len(), MAX_EVENTS)?;
        let command = metadata.command.map(|command| command.0);
        let metadata: Bytes = crate::metadata::encode(&metadata).map_err(|error| invalid(error.to_string()))?.into();
        let mut encoded: Vec<Encoded> = Vec::with_capacity(events.len());
        for event in events {
            let next = Encoded::new(&stream, event, encoded.last())?;
            encoded.push(next);
        }
        let events = encoded;
        let payloads: usize = events.iter().map(|encoded| encoded.event.payload.len() + 128).sum();
        let weight = payloads + metadata.len() + blobs.iter().map(|blob| blob.stored.len()).sum::<usize>();
        limit("append", weight, MAX_APPEND)?;
        Ok(Self { metadata_digest: sha256(&metadata), stream, scope, expected, command, metadata, events, blobs, weight })
    }

    /// The database's rows count in `i64`, of which every sequence is one.
    pub(crate) fn count(&self) -> u64 {
        self.events.len() as u64
    }
}

impl Encoded {
    fn new(stream: &StreamId, event: NewEvent, before: Option<&Self>) -> Result<Self, AppendError> {
        let name_digest = match before {
            // A request of many tokens has many events of one name.
            Some(before) if before.event.is_called_as(&event) => before.name_digest,
            _ => {
                name("the event type", &event.event_type)?;
                name("the event version", &event.event_version)?;
                name_digest(stream, &event.event_type, &event.event_version)
            }
        };
        limit("payload", event.payload.len(), MAX_PAYLOAD)?;
        if std::str::from_utf8(&event.payload).is_err() {
            return Err(invalid("a payload is not UTF-8"));
        }
        // Also refuses a NUL byte; as `\u0000` it may be in the text.
        if let Err(error) = serde_json::from_slice::<IgnoredAny>(&event.payload) {
            return Err(invalid(format!("a payload is not JSON: {error}")));
        }
        Ok(Self { name_digest, payload_digest: sha256(&event.payload), event })
    }
}

fn name(what: &'static str, name: &str) -> Result<(), AppendError> {
    if name.is_empty() || name.contains('\0') {
        return Err(invalid(format!("{what} is empty or has a NUL character")));
    }
    limit(what, name.len(), MAX_NAME)
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size > limit { Err(AppendError::TooLarge { what, size, limit }) } else { Ok(()) }
}

fn invalid(reason: impl Into<String>) -> AppendError {
    AppendError::Invalid { reason: reason.into() }
}
