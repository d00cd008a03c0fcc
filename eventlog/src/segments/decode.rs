//! The events of a segment. Nothing in it is believed: every number is checked before it is used.

use super::{
    column::Column,
    encode::leaf_hashes,
    error::SegmentError,
    header::Header,
    shape::{NUMBER, TEXT},
};
use crate::{
    encoded::Encoded,
    leaf::{Sha256Digest, leaf_hash, name_digest, sha256},
    recorded::Recorded,
    stream_id::StreamId,
};
use bytes::Bytes;
use std::{collections::HashMap, ops::Range, sync::Arc};
use uuid::Uuid;

const MALFORMED: fn(&'static str) -> SegmentError = SegmentError::Malformed;

/// The events in order of position, exactly as they were before; their leaf hashes are computed anew and found to be the same.
///
/// # Errors
/// [`SegmentError`] says how the segment is damaged.
pub(crate) fn decode(segment: &[u8]) -> Result<(Header, Vec<Arc<Recorded>>), SegmentError> {
    let (header, packed) = Header::split(segment)?;
    let size = usize::try_from(header.unpacked).map_err(|_| MALFORMED("a size is too high"))?;
    let unpacked = zstd::bulk::decompress(packed, size).map_err(|error| SegmentError::Compression(error.to_string()))?;
    if unpacked.len() != size {
        return Err(SegmentError::Length { expected: header.unpacked, actual: unpacked.len() as u64 });
    }
    let mut body = Column(&unpacked);
    let tables = Tables::read(&mut body)?;
    let [mut positions, mut times, mut of_streams] = [body.column()?, body.column()?, body.column()?];
    let (forms, payloads) = tables.payloads(&mut body, &header)?;

    let mut digests = HashMap::new();
    // For each stream, the place in `forms` of its next event, and the place after its last.
    let mut next = 0;
    let mut places: Vec<Range<usize>> = Vec::with_capacity(tables.streams.len());
    for stream in &tables.streams {
        places.push(next..next + stream.events);
        next += stream.events;
    }
    let (mut position, mut time) = (0u64, 0u64);
    let mut events = Vec::with_capacity(forms.len());
    for _ in 0..forms.len() {
        let distance = positions.number()?;
        position = position.checked_add(distance).filter(|_| distance > 0).ok_or(MALFORMED("positions do not rise"))?;
        time = times.difference(time)?;
        let number = index(of_streams.number()?, &tables.streams)?;
        let place = places[number].next().ok_or(MALFORMED("a stream has more events than it says"))?;
        let (stream, (form, payload)) = (&tables.streams[number], &forms[place]);
        let form = &tables.forms[*form];
        let [event_type, event_version] = [&tables.names[form.event_type], &tables.names[form.event_version]];
        let sequence = stream.first + (stream.events - places[number].len() - 1) as u64;
        let name = digests
            .entry((number, form.event_type, form.event_version))
            .or_insert_with(|| name_digest(&stream.id, event_type, event_version));
        let (metadata, metadata_digest) = &tables.metadata[form.metadata];
        let payload = payloads.slice(payload.clone());
        let recorded_at = time.cast_signed();
        events.push(Arc::new(Recorded {
            position,
            stream: stream.id.clone(),
            scope: form.scope,
            sequence,
            event_type: event_type.clone(),
            event_version: event_version.clone(),
            metadata: metadata.clone(),
            recorded_at,
            leaf_hash: leaf_hash(position, sequence, recorded_at, name, metadata_digest, &sha256(&payload)),
            payload,
            encoded: Encoded::default(),
        }));
    }
    for column in [positions, times, of_streams, body] {
        column.end()?;
    }
    let ends = (events.first().map(|event| event.position), events.last().map(|event| event.position));
    if ends != (Some(header.first), Some(header.last)) {
        return Err(MALFORMED("it begins or ends elsewhere than it says"));
    }
    if leaf_hashes(&events) != header.leaf_hashes {
        return Err(SegmentError::LeafHashes);
    }
    Ok((header, events))
}

/// An event's form, and where its payload lies.
type Placed = (usize, Range<usize>);

struct Tables<'a> {
    names: Vec<Arc<str>>,
    metadata: Vec<(Bytes, Sha256Digest)>,
    streams: Vec<Stream>,
    forms: Vec<Form>,
    shapes: Vec<&'a [u8]>,
}

struct Stream {
    id: StreamId,
    /// The sequence of the first event.
    first: u64,
    events: usize,
}

struct Form {
    event_type: usize,
    event_version: usize,
    scope: Option<Uuid>,
    metadata: usize,
    shape: usize,
}

impl<'a> Tables<'a> {
    fn read(body: &mut Column<'a>) -> Result<Self, SegmentError> {
        let names: Vec<Arc<str>> = list(body.column()?, |column| text(column.bytes()?).map(Arc::from))?;
        let metadata = list(body.column()?, |column| {
            let json = column.bytes()?;
            Ok((Bytes::copy_from_slice(json), sha256(json)))
        })?;
        let scopes = list(body.column()?, |column| uuid(column.take(16)?))?;
        let streams = list(body.column()?, |column| {
            let aggregate_type = names[index(column.number()?, &names)?].clone();
            let aggregate_id = match column.bytes()?.split_first() {
                Some((0, id)) => text(id)?.into(),
                Some((1, id)) => uuid(id)?.hyphenated().to_string().into(),
                _ => return Err(MALFORMED("a stream's id is neither text nor a UUID")),
            };
            let (first, events) = (column.number()?, column.number()?);
            // Sequences lie in (0, 2^63), so none of a stream is beyond it.
            if first == 0 || events > super::header::MAX_EVENTS || first > i64::MAX.unsigned_abs() - events {
                return Err(MALFORMED("a sequence is too high"));
            }
            Ok(Stream { id: StreamId { aggregate_type, aggregate_id }, first, events: events as usize })
        })?;
        let forms_column = body.column()?;
        let shapes = list(body.column()?, |column| column.bytes())?;
        let forms = list(forms_column, |column| {
            let [event_type, event_version] = [index(column.number()?, &names)?, index(column.number()?, &names)?];
            let scope = match column.number()? {
                0 => None,
                number => Some(scopes[index(number - 1, &scopes)?]),
            };
            let [metadata, shape] = [index(column.number()?, &metadata)?, index(column.number()?, &shapes)?];
            Ok(Form { event_type, event_version, scope, metadata, shape })
        })?;
        Ok(Self { names, metadata, streams, forms, shapes })
    }

    /// Each event's form and where its payload lies, stream after stream; and all payloads.
    fn payloads(&self, body: &mut Column<'a>, header: &Header) -> Result<(Vec<Placed>, Bytes), SegmentError> {
        let mut of_forms = body.column()?;
        if self.streams.iter().map(|stream| stream.events as u64).sum::<u64>() != header.events {
            return Err(MALFORMED("the streams have more or fewer events than there are"));
        }
        let mut shapes = Vec::with_capacity(self.shapes.len());
        for shape in &self.shapes {
            let holes = shape.iter().filter(|byte| matches!(**byte, NUMBER | TEXT));
            shapes.push(holes.map(|_| Ok((0, body.column()?, body.column()?))).collect::<Result<Vec<_>, SegmentError>>()?);
        }
        let (mut events, mut payloads) =
            (Vec::with_capacity(header.events as usize), Vec::with_capacity(header.payloads as usize));
        for _ in 0..header.events {
            let form = index(of_forms.number()?, &self.forms)?;
            let shape = self.forms[form].shape;
            let start = payloads.len();
            let mut columns = shapes[shape].iter_mut();
            for &byte in self.shapes[shape] {
                match (byte, if matches!(byte, NUMBER | TEXT) { columns.next() } else { None }) {
                    (NUMBER, Some((last, numbers, _))) => {
                        *last = numbers.difference(*last)?;
                        payloads.extend_from_slice(decimal(*last, &mut [0; 20]));
                    }
                    (_, Some((_, lengths, texts))) => payloads.extend_from_slice(texts.take(lengths.number()?)?),
                    (byte, None) => payloads.push(byte),
                }
            }
            if payloads.len() as u64 > header.payloads {
                return Err(MALFORMED("the payloads are larger than it says"));
            }
            events.push((form, start..payloads.len()));
        }
        of_forms.end()?;
        for (_, numbers, texts) in shapes.into_iter().flatten() {
            numbers.end()?;
            texts.end()?;
        }
        if payloads.len() as u64 != header.payloads {
            return Err(MALFORMED("the payloads are smaller than it says"));
        }
        Ok((events, payloads.into()))
    }
}

fn list<'a, T>(
    mut column: Column<'a>,
    mut value: impl FnMut(&mut Column<'a>) -> Result<T, SegmentError>,
) -> Result<Vec<T>, SegmentError> {
    let count = column.count()?;
    let mut values = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        values.push(value(&mut column)?);
    }
    column.end()?;
    Ok(values)
}

fn index<T>(number: u64, values: &[T]) -> Result<usize, SegmentError> {
    usize::try_from(number).ok().filter(|number| *number < values.len()).ok_or(MALFORMED("a number names nothing"))
}

fn text(bytes: &[u8]) -> Result<&str, SegmentError> {
    std::str::from_utf8(bytes).map_err(|_| MALFORMED("a name is not UTF-8"))
}

fn uuid(bytes: &[u8]) -> Result<Uuid, SegmentError> {
    Uuid::from_slice(bytes).map_err(|_| MALFORMED("a UUID does not have 16 bytes"))
}

/// The digits of a number, without an allocation.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}
