//! Making a segment of events.
//!
//! The body is a sequence of columns, each after its length, as one zstd frame with a checksum:
//!
//! 1. names, 2. metadata, 3. scopes: each text once; 4. streams: type, id, first sequence and number of events each;
//! 5. forms: what the events of a kind share (type, version, scope, metadata, shape of the payload); 6. shapes;
//! 7. positions, 8. times, 9. streams: an entry an event, in order of position, numbers as differences;
//! 10. the form of each event, stream after stream, in the order of the streams' first events;
//! 11. the payloads: for each shape and each of its holes a column of numbers (differences), or a column of lengths and a column of
//!     texts, their entries in the order of 10.
//!
//! Not stored are sequences, because a stream's events follow each other, and leaf hashes, because they follow from the rest.

use super::{
    column::{put, put_bytes, put_difference},
    error::SegmentError,
    header::{Header, MAX_BYTES, MAX_EVENTS, limit},
    shape::{Hole, take_apart},
};
use crate::{leaf::Sha256Digest, recorded::Recorded, stream_id::StreamId};
use sha2::{Digest, Sha256};
use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc};
use uuid::Uuid;

/// Of zstd: a segment is written once and kept for ever. Beyond this one the size hardly falls any more.
const LEVEL: i32 = 12;

/// Makes a segment of events in order of position. The events of a stream must follow each other without a hole between them, and
/// every leaf hash must be the one that belongs to its row.
///
/// # Errors
/// [`SegmentError::Changed`] when a row's leaf hash is wrong; others say what else is amiss with the events.
pub(crate) fn encode(events: &[Arc<Recorded>]) -> Result<(Header, Vec<u8>), SegmentError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Err(SegmentError::Empty) };
    limit("number of events", events.len() as u64, MAX_EVENTS)?;
    let payloads: u64 = events.iter().map(|event| event.payload.len() as u64).sum();
    limit("payloads", payloads, MAX_BYTES)?;

    let mut body = Body::default();
    let (mut position, mut time) = (0, 0);
    for event in events {
        if event.position <= position {
            return Err(SegmentError::OutOfOrder { position: event.position });
        }
        if event.computed_leaf_hash() != event.leaf_hash {
            return Err(SegmentError::Changed { position: event.position });
        }
        put(&mut body.positions, event.position - position);
        put_difference(&mut body.times, time, event.recorded_at.cast_unsigned());
        (position, time) = (event.position, event.recorded_at.cast_unsigned());
        let stream = body.streams.number(&event.stream);
        if body.members.len() == stream {
            body.members.push(Vec::new());
        }
        let members: &mut Vec<&Recorded> = &mut body.members[stream];
        if members.last().is_some_and(|before| before.sequence + 1 != event.sequence) {
            return Err(SegmentError::OutOfOrder { position: event.position });
        }
        members.push(event);
        put(&mut body.of_streams, stream as u64);
    }
    let unpacked = body.finish();
    limit("body", unpacked.len() as u64, MAX_BYTES)?;
    let packed = pack(&unpacked).map_err(|error| SegmentError::Compression(error.to_string()))?;
    let header = Header {
        first: first.position,
        last: last.position,
        events: events.len() as u64,
        payloads,
        unpacked: unpacked.len() as u64,
        packed: packed.len() as u64,
        leaf_hashes: leaf_hashes(events),
    };
    Ok((header, header.before(&packed)))
}

pub(super) fn leaf_hashes(events: &[Arc<Recorded>]) -> Sha256Digest {
    let mut hasher = Sha256::new();
    events.iter().for_each(|event| hasher.update(event.leaf_hash));
    hasher.finalize().into()
}

fn pack(unpacked: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(unpacked)
}

/// Different values, numbered as they come.
struct Table<K> {
    numbers: HashMap<K, usize>,
    values: Vec<K>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Table<K> {
    fn number<Q: Eq + Hash + ToOwned<Owned = K> + ?Sized>(&mut self, value: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let value = value.to_owned();
        self.values.push(value.clone());
        self.numbers.insert(value, self.values.len() - 1);
        self.values.len() - 1
    }
}

#[derive(Default)]
struct Body<'a> {
    names: Table<String>,
    metadata: Table<Vec<u8>>,
    scopes: Table<Uuid>,
    streams: Table<StreamId>,
    forms: Table<[usize; 5]>,
    shapes: Table<Vec<u8>>,
    positions: Vec<u8>,
    times: Vec<u8>,
    of_streams: Vec<u8>,
    of_forms: Vec<u8>,
    /// The events of each stream.
    members: Vec<Vec<&'a Recorded>>,
    /// The columns of each shape.
    holes: Vec<Vec<HoleColumn>>,
}

/// What was taken out at one place of a shape.
#[derive(Default)]
struct HoleColumn {
    last: u64,
    /// Numbers as differences, or the texts' lengths.
    numbers: Vec<u8>,
    texts: Vec<u8>,
}

impl Body<'_> {
    fn finish(mut self) -> Vec<u8> {
        let mut streams = Vec::new();
        let (mut shape, mut holes) = (Vec::new(), Vec::new());
        let members = std::mem::take(&mut self.members);
        put(&mut streams, members.len() as u64);
        for (stream, events) in self.streams.values.iter().zip(&members) {
            put(&mut streams, self.names.number(&*stream.aggregate_type) as u64);
            put_bytes(&mut streams, &id_bytes(&stream.aggregate_id));
            put(&mut streams, events.first().map_or(0, |event| event.sequence));
            put(&mut streams, events.len() as u64);
        }
        for event in members.iter().flatten() {
            take_apart(&event.payload, &mut shape, &mut holes);
            let number = self.shapes.number(&shape[..]);
            if self.holes.len() == number {
                self.holes.push(holes.iter().map(|_| HoleColumn::default()).collect());
            }
            for (hole, column) in holes.iter().zip(&mut self.holes[number]) {
                match hole {
                    Hole::Number(value) => {
                        put_difference(&mut column.numbers, column.last, *value);
                        column.last = *value;
                    }
                    Hole::Text(text) => {
                        put(&mut column.numbers, text.len() as u64);
                        column.texts.extend_from_slice(text);
                    }
                }
            }
            let form = [
                self.names.number(&*event.event_type),
                self.names.number(&*event.event_version),
                event.scope.map_or(0, |scope| self.scopes.number(&scope) + 1),
                self.metadata.number(&event.metadata[..]),
                number,
            ];
            put(&mut self.of_forms, self.forms.number(&form) as u64);
        }
        self.columns(&streams)
    }

    fn columns(&self, streams: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        put_bytes(&mut body, &list(&self.names.values, |column, name| put_bytes(column, name.as_bytes())));
        put_bytes(&mut body, &list(&self.metadata.values, |column, json| put_bytes(column, json)));
        put_bytes(&mut body, &list(&self.scopes.values, |column, scope| column.extend_from_slice(scope.as_bytes())));
        put_bytes(&mut body, streams);
        let form = |column: &mut Vec<u8>, form: &[usize; 5]| form.iter().for_each(|number| put(column, *number as u64));
        put_bytes(&mut body, &list(&self.forms.values, form));
        put_bytes(&mut body, &list(&self.shapes.values, |column, shape| put_bytes(column, shape)));
        for column in [&self.positions, &self.times, &self.of_streams, &self.of_forms] {
            put_bytes(&mut body, column);
        }
        for column in self.holes.iter().flatten() {
            put_bytes(&mut body, &column.numbers);
            put_bytes(&mut body, &column.texts);
        }
        body
    }
}

fn list<T>(values: &[T], put_value: impl Fn(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut column = Vec::new();
    put(&mut column, values.len() as u64);
    values.iter().for_each(|value| put_value(&mut column, value));
    column
}

/// A stream's id: 1 and 16 bytes where it is a UUID as Docket writes them, else 0 and its text.
fn id_bytes(id: &str) -> Vec<u8> {
    match Uuid::try_parse(id) {
        Ok(uuid) if uuid.hyphenated().to_string() == id => [&[1], &uuid.as_bytes()[..]].concat(),
        _ => [&[0], id.as_bytes()].concat(),
    }
}
