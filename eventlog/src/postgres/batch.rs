//! A batch as the arguments of `docket_append`, and its answer.

use crate::{
    append::Expected,
    request::Request,
    stream_id::StreamId,
    written::{Outcome, Written, recorded},
};
use sqlx::{Postgres, Row, postgres::PgArguments, postgres::PgRow, query::Query};
use std::{borrow::Cow, collections::HashMap};
use uuid::Uuid;

pub(crate) const APPEND: &str = "SELECT stamped_at, statuses, positions, sequences FROM docket_append(\
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)";

/// The arrays that the function takes. See `migrations/postgres/0003_append.sql`.
#[derive(Default)]
pub(crate) struct Arguments<'a> {
    stream_types: Vec<&'a str>,
    stream_ids: Vec<&'a str>,
    streams: Vec<i64>,
    scopes: Vec<Option<Uuid>>,
    expected: Vec<i64>,
    commands: Vec<Option<Uuid>>,
    counts: Vec<i64>,
    metadata: Vec<Cow<'a, str>>,
    metadata_digests: Vec<&'a [u8]>,
    requests: Vec<i64>,
    offsets: Vec<i64>,
    types: Vec<&'a str>,
    versions: Vec<&'a str>,
    payloads: Vec<Cow<'a, str>>,
    name_digests: Vec<&'a [u8]>,
    payload_digests: Vec<&'a [u8]>,
    blob_requests: Vec<i64>,
    blob_digests: Vec<&'a [u8]>,
    blob_sizes: Vec<i64>,
    blob_encodings: Vec<i16>,
    blobs: Vec<&'a [u8]>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(batch: &[&'a Request]) -> Self {
        let mut arguments = Self::default();
        let mut known: HashMap<&StreamId, i64> = HashMap::new();
        for (number, request) in (1..).zip(batch) {
            let stream = *known.entry(&request.stream).or_insert_with(|| {
                arguments.stream_types.push(&request.stream.aggregate_type);
                arguments.stream_ids.push(&request.stream.aggregate_id);
                arguments.stream_ids.len() as i64
            });
            arguments.request(number, stream, request);
        }
        arguments
    }

    fn request(&mut self, number: i64, stream: i64, request: &'a Request) {
        self.streams.push(stream);
        self.scopes.push(request.scope);
        self.expected.push(match request.expected {
            Expected::Any => -1,
            Expected::NoStream => 0,
            Expected::Exact(sequence) => sequence.cast_signed(),
        });
        self.commands.push(request.command);
        self.counts.push(request.count().cast_signed());
        // Checked to be UTF-8 when it came in, so nothing is ever replaced; the same for the payloads.
        self.metadata.push(String::from_utf8_lossy(&request.metadata));
        self.metadata_digests.push(&request.metadata_digest);
        for (offset, encoded) in (1..).zip(&request.events) {
            self.requests.push(number);
            self.offsets.push(offset);
            self.types.push(&encoded.event.event_type);
            self.versions.push(&encoded.event.event_version);
            self.payloads.push(String::from_utf8_lossy(&encoded.event.payload));
            self.name_digests.push(&encoded.name_digest);
            self.payload_digests.push(&encoded.payload_digest);
        }
        for blob in &request.blobs {
            self.blob_requests.push(number);
            self.blob_digests.push(&blob.digest);
            self.blob_sizes.push(blob.size as i64);
            self.blob_encodings.push(blob.encoding as i16);
            self.blobs.push(&blob.stored);
        }
    }

    pub(crate) fn query(&'a self, writer: Uuid, number: i64) -> Query<'a, Postgres, PgArguments> {
        sqlx::query(APPEND)
            .bind(writer)
            .bind(number)
            .bind(&self.stream_types)
            .bind(&self.stream_ids)
            .bind(&self.streams)
            .bind(&self.scopes)
            .bind(&self.expected)
            .bind(&self.commands)
            .bind(&self.counts)
            .bind(&self.metadata)
            .bind(&self.metadata_digests)
            .bind(&self.requests)
            .bind(&self.offsets)
            .bind(&self.types)
            .bind(&self.versions)
            .bind(&self.payloads)
            .bind(&self.name_digests)
            .bind(&self.payload_digests)
            .bind(&self.blob_requests)
            .bind(&self.blob_digests)
            .bind(&self.blob_sizes)
            .bind(&self.blob_encodings)
            .bind(&self.blobs)
    }
}

/// Reads the function's answer: what became of each request.
pub(crate) fn written(row: &PgRow, batch: &[&Request]) -> Result<Written, sqlx::Error> {
    let recorded_at: i64 = row.try_get(0)?;
    let (statuses, positions, sequences): (Vec<i64>, Vec<i64>, Vec<i64>) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    if statuses.len() != batch.len() || positions.len() != batch.len() || sequences.len() != batch.len() {
        return Err(sqlx::Error::Protocol(format!("{} answers to {} requests", statuses.len(), batch.len())));
    }
    let answers = statuses.into_iter().zip(positions).zip(sequences);
    let outcomes: Vec<_> = answers.map(|((status, position), sequence)| outcome(status, position, sequence)).collect();
    let events = batch.iter().zip(&outcomes).flat_map(|(request, outcome)| recorded(request, *outcome, recorded_at)).collect();
    Ok(Written { outcomes, events })
}

fn outcome(status: i64, position: i64, sequence: i64) -> Outcome {
    let (last_position, last_sequence) = (position.unsigned_abs(), sequence.unsigned_abs());
    match status {
        0 => Outcome::Written { last_position, last_sequence },
        1 => Outcome::Repeated { last_position, last_sequence },
        _ => Outcome::Conflict { actual: last_sequence },
    }
}
