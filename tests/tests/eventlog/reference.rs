//! What a log should be: a list.

use crate::fixture::*;
use docket_domain::{Metadata, ids::CommandId};
use docket_eventlog::{Append, Appended, Blob, Expected, Filter, NewEvent, Recorded, StreamId};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// An append in small numbers, so that they meet often.
#[derive(Clone, Debug)]
pub struct Request {
    pub stream: u8,
    pub scope: Option<u8>,
    pub expected: Expected,
    pub events: usize,
    pub command: Option<u8>,
    pub blob: Option<u8>,
}

/// A choice in small numbers.
#[derive(Clone, Debug)]
pub struct Choice {
    scopes: Option<Vec<u8>>,
    aggregate: Option<u8>,
    event_type: Option<u8>,
}

pub const STREAMS: u8 = 5;
pub const SCOPES: u8 = 3;
pub const BLOBS: u8 = 4;
const AGGREGATES: [&str; 2] = ["chat", "model_call"];
const TYPES: [&str; 3] = ["chat.noted", "chat.titled", "model_call.text_streamed"];

pub fn stream(number: u8) -> StreamId {
    StreamId::new(AGGREGATES[usize::from(number) % 2], number.to_string())
}

pub fn id(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

/// Small and large ones, such as compress well and such as do not.
pub fn blob(number: u8) -> Blob {
    let bytes = (0..usize::from(number) * 5_000).map(|at| if number.is_multiple_of(2) { number } else { (at * at / 7) as u8 });
    Blob::new(bytes.collect::<Vec<_>>())
}

pub fn requests() -> impl Strategy<Value = Request> {
    let expected = prop_oneof![
        4 => Just(Expected::Any),
        1 => Just(Expected::NoStream),
        3 => (0..12u64).prop_map(Expected::Exact),
    ];
    let events = prop_oneof![12 => 1..4usize, 4 => 4..40usize, 1 => 900..1_300usize];
    let command = proptest::option::weighted(0.4, 0..6u8);
    (0..STREAMS, proptest::option::of(0..SCOPES), expected, events, command, proptest::option::weighted(0.2, 0..BLOBS))
        .prop_map(|(stream, scope, expected, events, command, blob)| Request { stream, scope, expected, events, command, blob })
}

pub fn choices() -> impl Strategy<Value = Choice> {
    let scopes = proptest::option::of(proptest::collection::vec(0..SCOPES, 1..3));
    let one = |of: usize| proptest::option::weighted(0.3, 0..of as u8);
    (scopes, one(AGGREGATES.len()), one(TYPES.len())).prop_map(|(scopes, aggregate, event_type)| Choice {
        scopes,
        aggregate,
        event_type,
    })
}

impl Choice {
    pub fn filter(&self) -> Filter {
        let mut filter = self.scopes.as_ref().map_or_else(Filter::all, |scopes| Filter::scopes(scopes.iter().map(|n| id(*n))));
        if let Some(number) = self.aggregate {
            filter = filter.aggregates([AGGREGATES[usize::from(number)]]);
        }
        if let Some(number) = self.event_type {
            filter = filter.types([TYPES[usize::from(number)]]);
        }
        filter
    }

    fn chooses(&self, event: &Event) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| event.scope.is_some_and(|scope| scopes.contains(&scope)))
            && self.aggregate.is_none_or(|number| event.stream % 2 == number)
            && self.event_type.is_none_or(|number| usize::from(event.event_type) == usize::from(number))
    }
}

/// One event of the list; its position is its place.
#[derive(Clone, Debug)]
pub struct Event {
    pub stream: u8,
    scope: Option<u8>,
    pub sequence: u64,
    event_type: u8,
    payload: String,
    command: Option<u8>,
}

#[derive(Debug, Default)]
pub struct Reference {
    pub events: Vec<Event>,
    commands: HashMap<(u8, u8), Appended>,
    pub blobs: Vec<u8>,
    pub bookmarks: HashMap<u8, (u64, Vec<u8>)>,
    /// Makes every payload another.
    sent: usize,
}

impl Reference {
    /// The request as the log gets it.
    pub fn request(&mut self, request: &Request) -> Append {
        let mut metadata = Metadata::system();
        metadata.command = request.command.map(|command| CommandId(id(command)));
        self.sent += 1;
        let event = |number: usize| NewEvent {
            event_type: TYPES[(self.sent + number) % TYPES.len()].into(),
            ..event(payload(self.sent, number))
        };
        Append {
            stream: stream(request.stream),
            scope: request.scope.map(id),
            expected: request.expected,
            events: (0..request.events).map(event).collect(),
            blobs: request.blob.map(blob).into_iter().collect(),
            metadata,
        }
    }

    /// What becomes of the request that was sent as number `sent`: what was appended, or what the stream has instead.
    pub fn append(&mut self, request: &Request, sent: usize) -> Result<Appended, u64> {
        let &Request { stream, scope, expected, events, command, blob } = request;
        if let Some(old) = command.and_then(|command| self.commands.get(&(stream, command))) {
            return Ok(Appended { repeated: true, ..*old });
        }
        let actual = self.events.iter().filter(|event| event.stream == stream).count() as u64;
        match expected {
            Expected::Exact(sequence) if sequence != actual => return Err(actual),
            Expected::NoStream if actual > 0 => return Err(actual),
            _ => {}
        }
        self.events.extend((0..events).map(|number| Event {
            stream,
            scope,
            sequence: actual + number as u64 + 1,
            event_type: ((sent + number) % TYPES.len()) as u8,
            payload: payload(sent, number),
            command,
        }));
        self.blobs.extend(blob);
        let appended = new(self.events.len() as u64, actual + events as u64);
        command.map(|command| self.commands.insert((stream, command), appended));
        Ok(appended)
    }

    /// How many requests were made.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Whether these are exactly the events that `choice` wants in (after, through].
    pub fn check_page(&self, choice: &Choice, after: u64, through: u64, page: &[Arc<Recorded>]) -> Result<(), TestCaseError> {
        let within = (1..).zip(&self.events).skip(after as usize).take_while(|(position, _)| *position <= through);
        let wanted: Vec<_> = within.filter(|(_, event)| choice.chooses(event)).collect();
        prop_assert_eq!(page.len(), wanted.len(), "in ({}, {}]", after, through);
        page.iter().zip(wanted).try_for_each(|(event, (position, wanted))| check(event, position, wanted))
    }

    pub fn check_stream(&self, number: u8, after: u64, limit: usize, page: &[Arc<Recorded>]) -> Result<(), TestCaseError> {
        let events = (1..).zip(&self.events).filter(|(_, event)| event.stream == number && event.sequence > after);
        let wanted: Vec<_> = events.take(limit).collect();
        prop_assert_eq!(page.len(), wanted.len(), "of stream {} after {}", number, after);
        page.iter().zip(wanted).try_for_each(|(event, (position, wanted))| check(event, position, wanted))
    }
}

fn check(event: &Recorded, position: u64, wanted: &Event) -> Result<(), TestCaseError> {
    prop_assert_eq!((event.position, event.sequence), (position, wanted.sequence));
    prop_assert_eq!(&event.stream, &stream(wanted.stream));
    prop_assert_eq!(event.scope, wanted.scope.map(id));
    prop_assert_eq!(&*event.event_type, TYPES[usize::from(wanted.event_type)]);
    prop_assert_eq!(&event.payload, &wanted.payload);
    prop_assert_eq!(event.metadata().unwrap().command, wanted.command.map(|command| CommandId(id(command))));
    prop_assert_eq!(event.leaf_hash, event.computed_leaf_hash());
    Ok(())
}

fn payload(sent: usize, number: usize) -> String {
    format!("{{\"request\":{sent}, \"number\":{number}}}")
}
