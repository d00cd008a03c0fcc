//! What writes: it gives every append its place in its stream, sends all of a batch, and finds out what became of each.
//!
//! An append is always sent for one exact place with ids of its own. So of several attempts one at most can succeed, whichever comes
//! through, and an attempt whose place another program took never will.

use super::{
    appender::Failure,
    blobs::Blobs,
    connection::{Connection, silent},
    known::Known,
    retry::Retry,
    seen::Seen,
    sending::{Answer, Sending, State, after},
};
use crate::{error::ReadError, request::Request, stream_id::StreamId, written::Outcome};
use futures_util::future::join_all;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};

/// How long it is tried to find out what became of an append.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an event that the server has acknowledged may take to come back on the subscription, before it is asked for.
const SEEN_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Writer {
    connection: Arc<Connection>,
    blobs: Arc<Blobs>,
    known: Arc<Mutex<Known>>,
    seen: Arc<Seen>,
}

impl Writer {
    pub(super) fn new(blobs: Arc<Blobs>, known: Arc<Mutex<Known>>, seen: Arc<Seen>) -> Self {
        Self { connection: blobs.connection.clone(), blobs, known, seen }
    }

    /// Writes a batch. Each request is an append of its own, and has an answer of its own.
    pub(crate) async fn write(&mut self, batch: &[&Request]) -> Vec<Answer> {
        let mut sendings: Vec<_> = batch.iter().map(|request| Sending::new(request)).collect();
        let shared = self.known.clone();
        let (mut known, retry) = (shared.lock().await, Retry::within(PATIENCE));
        loop {
            let reason = match self.round(&mut known, &mut sendings).await {
                Ok(()) if sendings.iter().all(Sending::is_answered) => break,
                Ok(()) => "the stream is fought for".to_owned(),
                Err(error) => {
                    // What was never sent need not wait for the server to come back.
                    sendings.iter_mut().filter(|one| !matches!(one.state, State::Unknown(_))).for_each(|one| {
                        one.give_up(&error.to_string());
                    });
                    error.to_string()
                }
            };
            if !retry.again().await {
                sendings.iter_mut().for_each(|one| one.give_up(&reason));
                break;
            }
        }
        sendings
            .into_iter()
            .filter_map(|one| if let State::Answered(answer) = one.state { Some(answer) } else { None })
            .collect()
    }

    async fn round(&self, known: &mut Known, sendings: &mut [Sending<'_>]) -> Result<(), ReadError> {
        self.settle(known, sendings).await?;
        self.place(known, sendings).await?;
        join_all(sendings.iter_mut().map(|one| self.write_blobs(one))).await;
        // Polled in their order without a pause, so that the appends to one stream go out in it.
        tokio::task::unconstrained(join_all(sendings.iter_mut().map(|one| self.send(one)))).await;
        for one in sendings {
            if let (State::Unknown(sequence) | State::Refused(sequence, _), Some(stream)) =
                (&one.state, known.get(&one.request.stream))
            {
                stream.back_to(*sequence);
            }
        }
        Ok(())
    }

    /// Finds out what became of the last round's attempts.
    async fn settle(&self, known: &mut Known, sendings: &mut [Sending<'_>]) -> Result<(), ReadError> {
        let mut touched = HashMap::new();
        for one in sendings.iter_mut() {
            let (State::Unknown(sequence) | State::Refused(sequence, _)) = one.state else { continue };
            touched.insert(&one.request.stream, one.name.clone());
            match self.connection.event(&one.name, sequence + one.request.count() - 1).await? {
                Some(event) if event.id == one.last_id() => one.written(sequence, event.position.commit),
                Some(_) => one.state = State::New,
                None => {}
            }
        }
        known.read_on(&self.connection, touched.into_iter().collect()).await?;
        for one in sendings {
            let now = known.get(&one.request.stream).map_or(0, |stream| stream.sequence);
            if let State::Refused(sequence, reason) = &one.state {
                // Its place is free, so it was not for the place.
                if now == *sequence {
                    let reason = reason.clone();
                    one.give_up(&reason);
                } else {
                    one.state = State::New;
                }
            }
        }
        Ok(())
    }

    /// Judges what is new, one after the other, and gives it its place. What may be under way keeps the one it has.
    async fn place(&self, known: &mut Known, sendings: &mut [Sending<'_>]) -> Result<(), ReadError> {
        let stale = stale(known, sendings);
        known.read_on(&self.connection, stale.into_iter().collect()).await?;
        for one in sendings {
            let Some(stream) = known.get(&one.request.stream) else { continue };
            let place = match one.state {
                State::New => stream.sequence,
                State::Unknown(sequence) => sequence,
                State::Placed(_) | State::Refused(..) | State::Answered(_) => continue,
            };
            if let (State::New, Some(last_sequence)) = (&one.state, stream.applied(one.request)) {
                let event = self.connection.event(&one.name, last_sequence - 1).await?;
                let absent = || ReadError::damaged(format!("stream {} has lost event {last_sequence}", one.name));
                let last_position = event.ok_or_else(absent)?.position.commit;
                one.answer(Ok(Outcome::Repeated { last_position, last_sequence }));
            } else if matches!(one.state, State::New) && !one.request.expected.admits(place) {
                one.answer(Ok(Outcome::Conflict { actual: place }));
            } else {
                stream.append(one.request, place);
                one.state = State::Placed(place);
            }
        }
        Ok(())
    }

    async fn write_blobs(&self, one: &mut Sending<'_>) {
        if let State::Placed(_) = one.state
            && let Err(reason) = one.write_blobs(&self.blobs).await
        {
            one.give_up(&reason);
        }
    }

    async fn send(&self, one: &mut Sending<'_>) {
        let State::Placed(sequence) = one.state else { return };
        let events = match one.events() {
            Ok(events) => events,
            Err(error) => return one.give_up(&error.to_string()),
        };
        let shown = self.seen.expect(one.last_id());
        match self.blobs.appender.append(&one.name, after(sequence), events).await {
            Ok(()) => match self.position(one, sequence, shown).await {
                Ok(position) => one.written(sequence, position),
                // It is written; the next round will find it.
                Err(_) => one.state = State::Unknown(sequence),
            },
            Err(Failure::Refused(reason)) => one.state = State::Refused(sequence, reason),
            Err(Failure::Lost(_)) => one.state = State::Unknown(sequence),
        }
        self.seen.forget(one.last_id());
    }

    /// The position of the last event. As a rule it is shown to the readers by then.
    async fn position(&self, one: &Sending<'_>, sequence: u64, shown: oneshot::Receiver<u64>) -> Result<u64, ReadError> {
        if let Ok(Ok(position)) = timeout(SEEN_PATIENCE, shown).await {
            return Ok(position);
        }
        let event = self.connection.event(&one.name, sequence + one.request.count() - 1).await?;
        event.map(|event| event.position.commit).ok_or_else(silent)
    }
}

/// The streams that have to be read on: those that are not known, and those where somebody expects what is not known to be so.
fn stale<'a>(known: &mut Known, sendings: &[Sending<'a>]) -> HashMap<&'a StreamId, String> {
    let (mut stale, mut heads) = (HashMap::new(), HashMap::new());
    for one in sendings {
        let stream = &one.request.stream;
        let expected = match one.state {
            State::New => true,
            State::Unknown(_) => false,
            State::Placed(_) | State::Refused(..) | State::Answered(_) => continue,
        };
        let Some(state) = known.get(stream) else {
            stale.insert(stream, one.name.clone());
            continue;
        };
        let head: &mut u64 = heads.entry(stream).or_insert(state.sequence);
        if state.applied(one.request).is_none() {
            if expected && !one.request.expected.admits(*head) {
                stale.insert(stream, one.name.clone());
            }
            *head += one.request.count();
        }
    }
    stale
}
