//! Short ways to say what is appended to a log, and all of what is in it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, Appended, Expected, Filter, Log, NewEvent, Recorded, StreamId};
use std::{fmt, sync::Arc};
use uuid::Uuid;

pub fn chat(id: impl fmt::Display) -> StreamId {
    StreamId::new("chat", id.to_string())
}

pub fn event(payload: impl Into<String>) -> NewEvent {
    NewEvent { event_type: "chat.noted".into(), event_version: "1.0".into(), payload: payload.into().into() }
}

/// One event on a stream, whatever it is like.
pub fn append(stream: &StreamId, payload: impl Into<String>) -> Append {
    Append {
        stream: stream.clone(),
        scope: None,
        expected: Expected::Any,
        events: vec![event(payload)],
        blobs: Vec::new(),
        metadata: Metadata::system(),
    }
}

pub fn expecting(expected: Expected, append: Append) -> Append {
    Append { expected, ..append }
}

pub fn commanded(command: Uuid, append: Append) -> Append {
    Append { metadata: Metadata::system().commanded(CommandId(command)), ..append }
}

pub fn new(last_position: u64, last_sequence: u64) -> Appended {
    Appended { last_position, last_sequence, repeated: false }
}

/// The whole log, page by page.
pub async fn everything(log: &Log) -> Vec<Arc<Recorded>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = log.read_all(after, &Filter::all(), 500).await.unwrap();
        if page.through == after {
            return events;
        }
        after = page.through;
        events.extend(page.events);
    }
}
