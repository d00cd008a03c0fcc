//! What is asked of the log, and what it answers.

use crate::{blob::Blob, stream_id::StreamId};
use bytes::Bytes;
use docket_domain::Metadata;
use std::{fmt, sync::Arc};
use uuid::Uuid;

/// What the stream must be like for the append to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is like.
    Any,
    /// It has no events.
    NoStream,
    /// The sequence of its last event (sequences start at 1; 0 is the same as [`Expected::NoStream`]).
    Exact(u64),
}

impl Expected {
    /// After so many events, none included.
    #[must_use]
    pub fn after(sequence: u64) -> Self {
        if sequence == 0 { Self::NoStream } else { Self::Exact(sequence) }
    }

    pub(crate) fn admits(self, actual: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == 0,
            Self::Exact(sequence) => actual == sequence,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any events"),
            Self::NoStream => f.write_str("no events"),
            Self::Exact(sequence) => write!(f, "{sequence} events"),
        }
    }
}

/// An event that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// In full: `chat.turn_started`.
    pub event_type: Arc<str>,
    pub event_version: Arc<str>,
    /// JSON; it is kept byte for byte.
    pub payload: Bytes,
}

impl NewEvent {
    pub(crate) fn is_called_as(&self, other: &Self) -> bool {
        self.event_type == other.event_type && self.event_version == other.event_version
    }
}

/// Events for one stream, and the blobs they name: written all together or not at all.
#[derive(Clone, Debug)]
pub struct Append {
    pub stream: StreamId,
    /// The aggregate whose readers also want this stream: a chat's id for the chat and all its model calls.
    pub scope: Option<Uuid>,
    pub expected: Expected,
    /// At least one.
    pub events: Vec<NewEvent>,
    pub blobs: Vec<Blob>,
    /// Its `command`, when there is one, makes a repeat on the same stream harmless.
    pub metadata: Metadata,
}

/// A durable append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event.
    pub last_position: u64,
    /// The sequence of the last event.
    pub last_sequence: u64,
    /// The command had been applied before: nothing was written now, and these are the old positions.
    pub repeated: bool,
}
