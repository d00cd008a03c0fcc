//! What became of a batch.

use crate::{append::Appended, error::AppendError, leaf::leaf_hash, recorded::Recorded, request::Request};
use std::sync::Arc;

/// What became of one request of a batch that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Written { last_position: u64, last_sequence: u64 },
    Repeated { last_position: u64, last_sequence: u64 },
    Conflict { actual: u64 },
}

impl Outcome {
    pub(crate) fn answer(self, request: &Request) -> Result<Appended, AppendError> {
        match self {
            Self::Written { last_position, last_sequence } => Ok(Appended { last_position, last_sequence, repeated: false }),
            Self::Repeated { last_position, last_sequence } => Ok(Appended { last_position, last_sequence, repeated: true }),
            Self::Conflict { actual } => {
                Err(AppendError::Conflict { stream: request.stream.clone(), expected: request.expected, actual })
            }
        }
    }
}

/// A committed batch: an outcome for each request, and the events in order of position, without holes.
pub(crate) struct Written {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) events: Vec<Arc<Recorded>>,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The database refused the content; another batch may do. Nothing was written.
    Refused(String),
    /// The database does not work at present. Nothing was written.
    Unavailable(String),
    /// It may have been written.
    Uncertain(String),
}

impl WriteError {
    pub(crate) fn answer(&self) -> AppendError {
        match self {
            Self::Refused(reason) | Self::Unavailable(reason) => AppendError::Storage { reason: reason.clone() },
            Self::Uncertain(reason) => AppendError::Uncertain { reason: reason.clone() },
        }
    }
}

/// The events that a request's outcome puts into the log.
pub(crate) fn recorded<'a>(
    request: &'a Request,
    outcome: Outcome,
    recorded_at: i64,
) -> impl Iterator<Item = Arc<Recorded>> + use<'a> {
    let (events, last_position, last_sequence) = match outcome {
        Outcome::Written { last_position, last_sequence } => (&request.events[..], last_position, last_sequence),
        Outcome::Repeated { .. } | Outcome::Conflict { .. } => (&[][..], 0, 0),
    };
    events.iter().rev().enumerate().rev().map(move |(before_last, encoded)| {
        let (position, sequence) = (last_position - before_last as u64, last_sequence - before_last as u64);
        Arc::new(Recorded {
            position,
            stream: request.stream.clone(),
            scope: request.scope,
            sequence,
            event_type: encoded.event.event_type.clone(),
            event_version: encoded.event.event_version.clone(),
            payload: encoded.event.payload.clone(),
            metadata: request.metadata.clone(),
            recorded_at,
            leaf_hash: leaf_hash(
                position,
                sequence,
                recorded_at,
                &encoded.name_digest,
                &request.metadata_digest,
                &encoded.payload_digest,
            ),
            encoded: Default::default(),
        })
    })
}
