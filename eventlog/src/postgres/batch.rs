//! A batch as the arguments of `docket_append`, and its answer.

use super::{
    foreseen::Foreseen,
    known::{Known, type_name},
};
use crate::{
    append::Expected,
    request::{Encoded, Request},
    written::{Outcome, Written, recorded},
};
use sqlx::{Postgres, Row, postgres::PgArguments, postgres::PgRow, query::Query};
use std::{borrow::Cow, collections::HashMap};
use uuid::Uuid;

const APPEND: &str = "SELECT base, foreseen, stamped_at, statuses, positions, sequences, new_streams, new_scopes, new_types, new_metadata \
    FROM docket_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
    $24, $25, $26, $27, $28)";

/// The arrays that the function takes, but for the new names, which are in [`Known`]. See `migrations/postgres/0006_append.sql`.
#[derive(Default)]
pub(crate) struct Arguments<'a> {
    streams: Vec<i32>,
    request_streams: Vec<i32>,
    scopes: Vec<i32>,
    metadata: Vec<i32>,
    expected: Vec<i64>,
    counts: Vec<i32>,
    command_requests: Vec<i32>,
    commands: Vec<Uuid>,
    event_requests: Vec<i32>,
    types: Vec<i32>,
    payloads: Vec<Cow<'a, str>>,
    digests: Vec<u8>,
    leaves: Vec<u8>,
    base: u64,
    at: i64,
    blob_requests: Vec<i32>,
    blob_digests: Vec<&'a [u8]>,
    blob_sizes: Vec<i64>,
    blob_encodings: Vec<i16>,
    blobs: Vec<&'a [u8]>,
}

impl<'a> Arguments<'a> {
    /// `foreseen` is what the answer will be if nobody else writes before.
    pub(crate) fn new(batch: &[&'a Request], known: &mut Known, foreseen: Option<&Foreseen>) -> Self {
        known.begin_batch();
        let mut arguments = Self::default();
        if let Some(Foreseen { base, at, written }) = foreseen {
            (arguments.base, arguments.at) = (*base, *at);
            arguments.leaves.extend(written.events.iter().flat_map(|event| event.leaf_hash));
        }
        let mut places = HashMap::new();
        for (number, request) in (1..).zip(batch) {
            let place = *places.entry(&request.stream).or_insert_with(|| {
                arguments.streams.push(known.streams.number(&request.stream));
                arguments.streams.len() as i32
            });
            arguments.request_streams.push(place);
            arguments.request(number, request, known);
        }
        arguments
    }

    fn request(&mut self, number: i32, request: &'a Request, known: &mut Known) {
        self.scopes.push(request.scope.map_or(0, |scope| known.scopes.number(&scope)));
        self.metadata.push(known.metadata.number(&request.metadata));
        self.expected.push(match request.expected {
            Expected::Any => -1,
            Expected::NoStream => 0,
            Expected::Exact(sequence) => i64::try_from(sequence).unwrap_or(i64::MAX),
        });
        self.counts.push(request.events.len() as i32);
        if let Some(command) = request.command {
            self.command_requests.push(number);
            self.commands.push(command);
        }
        let mut last: Option<(&Encoded, i32)> = None;
        for encoded in &request.events {
            let event = &encoded.event;
            // The events of one request mostly have one type.
            let event_type = match last {
                Some((last, number)) if last.name_digest == encoded.name_digest => number,
                _ => known.types.number(&type_name(event)),
            };
            last = Some((encoded, event_type));
            self.event_requests.push(number);
            self.types.push(event_type);
            // Checked to be UTF-8 when it came in, so nothing is ever replaced.
            self.payloads.push(String::from_utf8_lossy(&event.payload));
            self.digests.extend_from_slice(&encoded.name_digest);
            self.digests.extend_from_slice(&request.metadata_digest);
            self.digests.extend_from_slice(&encoded.payload_digest);
        }
        for blob in &request.blobs {
            self.blob_requests.push(number);
            self.blob_digests.push(&blob.digest);
            self.blob_sizes.push(blob.size as i64);
            self.blob_encodings.push(blob.encoding as i16);
            self.blobs.push(&blob.stored);
        }
    }

    pub(crate) fn query(self, known: &Known, writer: Uuid, number: i64) -> Query<'a, Postgres, PgArguments> {
        let streams = known.streams.new_names();
        let types = known.types.new_names();
        let metadata = known.metadata.new_names().iter().map(|json| String::from_utf8_lossy(json));
        sqlx::query(APPEND)
            .bind(writer)
            .bind(number)
            .bind(self.base.cast_signed())
            .bind(self.at)
            .bind(streams.iter().map(|stream| stream.aggregate_type.to_string()).collect::<Vec<_>>())
            .bind(streams.iter().map(|stream| stream.aggregate_id.to_string()).collect::<Vec<_>>())
            .bind(known.scopes.new_names().to_vec())
            .bind(types.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>())
            .bind(types.iter().map(|(_, version)| version.to_string()).collect::<Vec<_>>())
            .bind(metadata.map(Cow::into_owned).collect::<Vec<_>>())
            .bind(self.streams)
            .bind(self.request_streams)
            .bind(self.scopes)
            .bind(self.metadata)
            .bind(self.expected)
            .bind(self.counts)
            .bind(self.command_requests)
            .bind(self.commands)
            .bind(self.event_requests)
            .bind(self.types)
            .bind(self.payloads)
            .bind(self.digests)
            .bind(self.leaves)
            .bind(self.blob_requests)
            .bind(self.blob_digests)
            .bind(self.blob_sizes)
            .bind(self.blob_encodings)
            .bind(self.blobs)
    }
}

/// Reads the function's answer: what became of each request.
pub(crate) fn written(
    row: &PgRow,
    batch: &[&Request],
    known: &mut Known,
    foreseen: Option<Foreseen>,
) -> Result<Written, sqlx::Error> {
    // None for what had no new names, and none at all for a batch that was found to have been written.
    known.streams.learn(&row.try_get::<Option<Vec<_>>, _>(6)?.unwrap_or_default());
    known.scopes.learn(&row.try_get::<Option<Vec<_>>, _>(7)?.unwrap_or_default());
    known.types.learn(&row.try_get::<Option<Vec<_>>, _>(8)?.unwrap_or_default());
    known.metadata.learn(&row.try_get::<Option<Vec<_>>, _>(9)?.unwrap_or_default());
    let base = row.try_get::<Option<i64>, _>(0)?.map(i64::unsigned_abs);
    known.alone = known.head.is_none() || known.head == base;
    known.head = base;
    if row.try_get(1)?
        && let Some(Foreseen { written, .. }) = foreseen
    {
        known.head = written.events.last().map(|event| event.position);
        return Ok(written);
    }
    let recorded_at: i64 = row.try_get(2)?;
    let (statuses, positions, sequences): (Vec<i32>, Vec<i64>, Vec<i64>) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
    if statuses.len() != batch.len() || positions.len() != batch.len() || sequences.len() != batch.len() {
        return Err(sqlx::Error::Protocol(format!("{} answers to {} requests", statuses.len(), batch.len())));
    }
    let answers = statuses.into_iter().zip(positions).zip(sequences);
    let outcomes: Vec<_> = answers.map(|((status, position), sequence)| outcome(status, position, sequence)).collect();
    let events: Vec<_> =
        batch.iter().zip(&outcomes).flat_map(|(request, outcome)| recorded(request, *outcome, recorded_at)).collect();
    known.head = events.last().map(|event| event.position).or(known.head);
    Ok(Written { outcomes, events })
}

fn outcome(status: i32, position: i64, sequence: i64) -> Outcome {
    let (last_position, last_sequence) = (position.unsigned_abs(), sequence.unsigned_abs());
    match status {
        0 => Outcome::Written { last_position, last_sequence },
        1 => Outcome::Repeated { last_position, last_sequence },
        _ => Outcome::Conflict { actual: last_sequence },
    }
}
