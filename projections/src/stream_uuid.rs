//! The id in a stream's name.

use crate::error::ApplyError;
use docket_eventlog::Recorded;
use uuid::Uuid;

pub(crate) fn stream_uuid(event: &Recorded) -> Result<Uuid, ApplyError> {
    let unfit = |error| ApplyError::Unfit(format!("stream {} is not named by an id: {error}", event.stream));
    Uuid::parse_str(&event.stream.aggregate_id).map_err(unfit)
}
