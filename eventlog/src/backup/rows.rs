//! A backup's events as rows: whatever repeats is numbered as it comes, from 1, as the tables of both databases have it.

use crate::{metadata, recorded::Recorded, stream_id::StreamId};
use bytes::Bytes;
use lru::LruCache;
use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};
use uuid::Uuid;

/// Metadata is hardly ever met again later.
const METADATA: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The rows of a file of events, of which each names only what is in these rows or came before.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) streams: Vec<(i64, StreamId)>,
    pub(crate) scopes: Vec<(i64, Uuid)>,
    pub(crate) types: Vec<(i64, Arc<str>, Arc<str>)>,
    pub(crate) metadata: Vec<(i64, Bytes)>,
    pub(crate) events: Vec<EventRow>,
    /// Of events that follow each other in the log: of one stream, and of one scope.
    pub(crate) stream_runs: Vec<Run>,
    pub(crate) scope_runs: Vec<Run>,
    /// What the events' commands did. One that goes on in the next file comes again.
    pub(crate) commands: HashMap<(i64, Uuid), (u64, u64)>,
}

#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) event: Arc<Recorded>,
    pub(crate) stream: i64,
    pub(crate) scope: Option<i64>,
    pub(crate) event_type: i64,
    pub(crate) metadata: i64,
}

/// Events without others between them.
#[derive(Debug)]
pub(crate) struct Run {
    /// The number of the stream or the scope.
    pub(crate) of: i64,
    /// Of the first event.
    pub(crate) position: u64,
    /// Of the first event.
    pub(crate) sequence: u64,
    pub(crate) events: u64,
}

impl Run {
    fn add(runs: &mut Vec<Self>, of: i64, event: &Recorded) {
        match runs.last_mut() {
            Some(last) if last.of == of && last.position + last.events == event.position => last.events += 1,
            _ => runs.push(Self { of, position: event.position, sequence: event.sequence, events: 1 }),
        }
    }
}

/// The numbers given out so far.
#[derive(Debug)]
pub(super) struct Numbers {
    streams: HashMap<StreamId, i64>,
    scopes: HashMap<Uuid, i64>,
    types: HashMap<(Arc<str>, Arc<str>), i64>,
    /// With the command that it names.
    metadata: LruCache<Bytes, (i64, Option<Uuid>)>,
    newest_metadata: i64,
}

impl Numbers {
    pub(super) fn new() -> Self {
        Self {
            streams: HashMap::new(),
            scopes: HashMap::new(),
            types: HashMap::new(),
            metadata: LruCache::new(METADATA),
            newest_metadata: 0,
        }
    }

    pub(super) fn rows(&mut self, events: Vec<Arc<Recorded>>) -> Rows {
        let mut rows = Rows::default();
        for event in events {
            let next = self.streams.len() as i64 + 1;
            let stream = *self.streams.entry(event.stream.clone()).or_insert_with(|| {
                rows.streams.push((next, event.stream.clone()));
                next
            });
            let next = self.scopes.len() as i64 + 1;
            let scope = event.scope.map(|scope| {
                *self.scopes.entry(scope).or_insert_with(|| {
                    rows.scopes.push((next, scope));
                    next
                })
            });
            let next = self.types.len() as i64 + 1;
            let name = (event.event_type.clone(), event.event_version.clone());
            let event_type = *self.types.entry(name).or_insert_with(|| {
                rows.types.push((next, event.event_type.clone(), event.event_version.clone()));
                next
            });
            let (metadata, command) = *self.metadata.get_or_insert(event.metadata.clone(), || {
                self.newest_metadata += 1;
                rows.metadata.push((self.newest_metadata, event.metadata.clone()));
                // Other programs have metadata of their own, without a command that Docket would know again.
                let command = metadata::decode(&event.metadata).ok().and_then(|metadata| metadata.command);
                (self.newest_metadata, command.map(|command| command.0))
            });
            if let Some(command) = command {
                rows.commands.insert((stream, command), (event.position, event.sequence));
            }
            Run::add(&mut rows.stream_runs, stream, &event);
            scope.inspect(|scope| Run::add(&mut rows.scope_runs, *scope, &event));
            rows.events.push(EventRow { event, stream, scope, event_type, metadata });
        }
        rows
    }
}
