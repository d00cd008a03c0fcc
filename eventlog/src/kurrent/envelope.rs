//! An event of ours as KurrentDB has it: the payload is its data, and everything else that is ours is its custom metadata.

use crate::{
    request::{Encoded, Request},
    stream_id::StreamId,
};
use bytes::Bytes;
use eventstore::{EventData, RecordedEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// What the name of a stream that is no stream of events begins with; `$` is the server's own.
pub(super) const INTERNAL: char = '~';
/// The streams of events, as a filter of the server. Without it, its reports on itself and all blobs would come along.
pub(super) const STREAMS_OF_EVENTS: &str = "^[^$~]";

const LAYOUT: u8 = 1;

/// The custom metadata. `docket` is the version of this layout, and tells our events from those of other programs.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    docket: u8,
    pub(super) version: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<Uuid>,
    /// Byte for byte, for the leaf hash.
    #[serde(borrow)]
    pub(super) metadata: &'a RawValue,
    /// Where the payload lies when it is not the event's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pack: Option<Pack<'a>>,
}

/// A payload in a blob that holds those of a whole append.
#[derive(Serialize, Deserialize)]
pub(super) struct Pack<'a> {
    pub(super) sha256: Cow<'a, str>,
    pub(super) at: usize,
    pub(super) length: usize,
}

/// The server's name of a stream, if it can have it.
pub(super) fn stream_name(stream: &StreamId) -> Result<String, String> {
    // The first `-` ends the type: what the server's own projection by category takes for it, too.
    if stream.aggregate_type.contains('-') || stream.aggregate_type.starts_with(['$', INTERNAL]) {
        return Err(format!("on KurrentDB the aggregate type {:?} cannot be used", stream.aggregate_type));
    }
    Ok(stream.to_string())
}

/// The events of a request with these ids. Where the append is too large for the server, their payloads are in the blob `pack`.
pub(super) fn encode(request: &Request, ids: &[Uuid], pack: Option<&str>) -> Result<Vec<EventData>, serde_json::Error> {
    let (mut at, mut events) = (0, Vec::with_capacity(ids.len()));
    for (Encoded { event, .. }, id) in request.events.iter().zip(ids) {
        let length = event.payload.len();
        let envelope = Envelope {
            docket: LAYOUT,
            version: Cow::Borrowed(&event.event_version),
            scope: request.scope,
            metadata: serde_json::from_slice(&request.metadata)?,
            pack: pack.map(|sha256| Pack { sha256: Cow::Borrowed(sha256), at, length }),
        };
        at += length;
        let data = if pack.is_some() { data(&event.event_type, b"{}")? } else { data(&event.event_type, &event.payload)? };
        events.push(data.id(*id).metadata_as_json(&envelope)?);
    }
    Ok(events)
}

/// Data that the server knows to be JSON. Space around it would be lost on that way, so the server is told nothing then.
fn data(event_type: &str, payload: &[u8]) -> Result<EventData, serde_json::Error> {
    let json: &RawValue = serde_json::from_slice(payload)?;
    if json.get().len() == payload.len() {
        return EventData::json(event_type, &json);
    }
    Ok(EventData::binary(event_type, Bytes::copy_from_slice(payload)))
}

/// The bytes of an append as the server counts them, or a little more. Types are counted in UTF-16.
pub(super) fn size(request: &Request, packed: bool) -> usize {
    // Every name of the envelope, a scope, and a pack with its longest numbers.
    let around = 50 + if request.scope.is_some() { 48 } else { 0 } + if packed { 130 } else { 0 };
    let one = |Encoded { event, .. }: &Encoded| {
        let payload = if packed { 2 } else { event.payload.len() };
        // A version may have to be escaped.
        payload + around + request.metadata.len() + 6 * event.event_version.len() + 2 * event.event_type.len()
    };
    request.events.iter().map(one).sum()
}

/// What it says, unless another program wrote the event.
pub(super) fn open(event: &RecordedEvent) -> Option<Envelope<'_>> {
    if !event.stream_id.contains('-') || event.stream_id.starts_with(['$', INTERNAL]) {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_slice(&event.custom_metadata).ok()?;
    (envelope.docket == LAYOUT).then_some(envelope)
}

/// The command that the event came from.
pub(super) fn command(event: &RecordedEvent) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Commanded {
        command: Option<Uuid>,
    }
    serde_json::from_str::<Commanded>(open(event)?.metadata.get()).ok()?.command
}

/// The time that the server gave it, in µs since 1970. (The client's own field has whole seconds.)
pub(super) fn created(event: &RecordedEvent) -> i64 {
    let ticks = event.metadata.get("created").and_then(|ticks| ticks.parse::<i64>().ok());
    ticks.unwrap_or_default() / 10
}
