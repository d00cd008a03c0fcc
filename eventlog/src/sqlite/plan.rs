//! Deciding what of a batch is written, and as which rows. Touches no database.

use super::known::{Head, Known};
use crate::{
    append::NewEvent,
    clock,
    recorded::Recorded,
    request::Request,
    written::{Outcome, Written, recorded},
};
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// The rows to be inserted.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) streams: Vec<(i64, &'a Request)>,
    pub(crate) scopes: Vec<(i64, Uuid)>,
    pub(crate) types: Vec<(i64, Arc<str>, Arc<str>)>,
    pub(crate) metadata: Vec<(i64, Bytes)>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) stream_runs: Vec<StreamRun>,
    pub(crate) scope_runs: Vec<ScopeRun>,
    pub(crate) commands: Vec<CommandRow>,
    /// The requests that are written, for their blobs.
    pub(crate) written: Vec<&'a Request>,
}

pub(crate) struct EventRow {
    pub(crate) event: Arc<Recorded>,
    pub(crate) stream: i64,
    pub(crate) scope: Option<i64>,
    pub(crate) event_type: i64,
    pub(crate) metadata: i64,
}

/// Events of a stream that follow each other in the log.
pub(crate) struct StreamRun {
    pub(crate) stream: i64,
    /// Of the first.
    pub(crate) sequence: u64,
    /// Of the first.
    pub(crate) position: u64,
    pub(crate) events: u64,
}

/// Events of a scope that follow each other in the log.
pub(crate) struct ScopeRun {
    pub(crate) scope: i64,
    /// Of the first.
    pub(crate) position: u64,
    pub(crate) events: u64,
}

pub(crate) struct CommandRow {
    pub(crate) stream: i64,
    pub(crate) command: Uuid,
    pub(crate) last_position: u64,
    pub(crate) last_sequence: u64,
}

/// What earlier commands did: (last position, last sequence) by stream and command.
pub(crate) type Applied = HashMap<(i64, Uuid), (u64, u64)>;

impl<'a> Plan<'a> {
    /// Judges the requests one after the other; each sees what those before it have done, and one that is refused does not touch
    /// its neighbours. `known` is moved on as if the rows were there already.
    pub(crate) fn new(known: &mut Known, applied: &Applied, batch: &[&'a Request]) -> Self {
        let mut plan = Self::default();
        known.recorded_at = known.recorded_at.max(clock::now());
        for request in batch {
            let outcome = plan.judge(known, applied, request);
            plan.outcomes.push(outcome);
        }
        plan
    }

    /// What came of it, once the rows are committed.
    pub(crate) fn written(self) -> Written {
        Written { outcomes: self.outcomes, events: self.events.into_iter().map(|row| row.event).collect() }
    }

    fn judge(&mut self, known: &mut Known, applied: &Applied, request: &'a Request) -> Outcome {
        let head = known.streams.get(&request.stream).copied();
        if let (Some(head), Some(command)) = (head, request.command)
            && let Some(&(last_position, last_sequence)) = applied.get(&(head.id, command))
        {
            return Outcome::Repeated { last_position, last_sequence };
        }
        let actual = head.map_or(0, |head| head.sequence);
        if !request.expected.admits(actual) {
            return Outcome::Conflict { actual };
        }

        let stream = head.map_or_else(|| self.new_stream(known, request), |head| head.id);
        self.stream_run(StreamRun { stream, sequence: actual + 1, position: known.position + 1, events: request.count() });
        let scope = request.scope.map(|scope| self.scope(known, scope));
        scope.inspect(|&scope| self.scope_run(ScopeRun { scope, position: known.position + 1, events: request.count() }));
        let (last_position, last_sequence) = (known.position + request.count(), actual + request.count());
        known.streams.put(request.stream.clone(), Head { id: stream, sequence: last_sequence });
        known.position = last_position;

        let outcome = Outcome::Written { last_position, last_sequence };
        let metadata = self.metadata(known, request);
        let mut before = None;
        for (event, encoded) in recorded(request, outcome, known.recorded_at).zip(&request.events) {
            let event_type = match before {
                Some((before, event_type)) if encoded.event.is_called_as(before) => event_type,
                _ => self.event_type(known, &encoded.event),
            };
            before = Some((&encoded.event, event_type));
            self.events.push(EventRow { event, stream, scope, event_type, metadata });
        }
        if let Some(command) = request.command {
            self.commands.push(CommandRow { stream, command, last_position, last_sequence });
        }
        self.written.push(request);
        outcome
    }

    fn new_stream(&mut self, known: &mut Known, request: &'a Request) -> i64 {
        known.newest.stream += 1;
        self.streams.push((known.newest.stream, request));
        known.newest.stream
    }

    /// Positions of a batch have no holes, so what comes after an append of the same stream goes on with its run.
    fn stream_run(&mut self, run: StreamRun) {
        match self.stream_runs.last_mut() {
            Some(last) if last.stream == run.stream => last.events += run.events,
            _ => self.stream_runs.push(run),
        }
    }

    fn scope_run(&mut self, run: ScopeRun) {
        match self.scope_runs.last_mut() {
            Some(last) if last.scope == run.scope && last.position + last.events == run.position => last.events += run.events,
            _ => self.scope_runs.push(run),
        }
    }

    fn scope(&mut self, known: &mut Known, scope: Uuid) -> i64 {
        if let Some(id) = known.scopes.get(&scope) {
            return *id;
        }
        known.newest.scope += 1;
        known.scopes.put(scope, known.newest.scope);
        self.scopes.push((known.newest.scope, scope));
        known.newest.scope
    }

    fn event_type(&mut self, known: &mut Known, event: &NewEvent) -> i64 {
        let key = (event.event_type.clone(), event.event_version.clone());
        if let Some(id) = known.types.get(&key) {
            return *id;
        }
        known.newest.event_type += 1;
        known.types.insert(key, known.newest.event_type);
        self.types.push((known.newest.event_type, event.event_type.clone(), event.event_version.clone()));
        known.newest.event_type
    }

    fn metadata(&mut self, known: &mut Known, request: &Request) -> i64 {
        if let Some(id) = known.metadata.get(&request.metadata) {
            return *id;
        }
        known.newest.metadata += 1;
        known.metadata.put(request.metadata.clone(), known.newest.metadata);
        self.metadata.push((known.newest.metadata, request.metadata.clone()));
        known.newest.metadata
    }
}
