//! One append on its way to the server.

use super::{MAX_BYTES, blobs::Blobs, envelope};
use crate::{
    blob::Blob,
    error::AppendError,
    request::Request,
    written::{Outcome, WriteError},
};
use eventstore::{EventData, ExpectedRevision};
use uuid::Uuid;

pub(crate) type Answer = Result<Outcome, AppendError>;

pub(super) struct Sending<'a> {
    pub(super) request: &'a Request,
    /// Of the stream, as the server has it.
    pub(super) name: String,
    /// Of the events. The same append again has the same, so the server takes it once; so has the same command from another process.
    ids: Vec<Uuid>,
    /// All payloads, when they are too much for one append.
    pack: Option<Blob>,
    pub(super) state: State,
}

pub(super) enum State {
    /// Not sent, or what was sent will never be done.
    New,
    /// To be sent as the events after this sequence.
    Placed(u64),
    /// Sent as the events after this sequence; that may have been done, or may be done yet.
    Unknown(u64),
    /// Sent as the events after this sequence and refused, for this reason or because the stream had others there.
    Refused(u64, String),
    Answered(Answer),
}

impl<'a> Sending<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        let ids = (0..request.count()).map(|index| match request.command {
            Some(command) => Uuid::new_v5(&command, format!("{} {index}", request.stream).as_bytes()),
            None => Uuid::now_v7(),
        });
        let mut sending = Self { request, name: String::new(), ids: ids.collect(), pack: None, state: State::New };
        if let Err(error) = sending.prepare() {
            sending.state = State::Answered(Err(error));
        }
        sending
    }

    fn prepare(&mut self) -> Result<(), AppendError> {
        self.name = envelope::stream_name(&self.request.stream).map_err(|reason| AppendError::Invalid { reason })?;
        let size = |packed| envelope::size(self.request, packed);
        if size(false) <= MAX_BYTES {
            return Ok(());
        }
        if size(true) > MAX_BYTES {
            return Err(AppendError::TooLarge { what: "append to KurrentDB", size: size(true), limit: MAX_BYTES });
        }
        let payloads: Vec<&[u8]> = self.request.events.iter().map(|encoded| &encoded.event.payload[..]).collect();
        self.pack = Some(Blob::new(payloads.concat()));
        Ok(())
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered(_))
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        self.state = State::Answered(answer);
    }

    pub(super) fn last_id(&self) -> Uuid {
        self.ids.last().copied().unwrap_or_default()
    }

    /// The answer when its events are those after `sequence`, the last of them at this position.
    pub(super) fn written(&mut self, sequence: u64, last_position: u64) {
        self.answer(Ok(Outcome::Written { last_position, last_sequence: sequence + self.request.count() }));
    }

    /// Nothing more can be found out.
    pub(super) fn give_up(&mut self, reason: &str) {
        let reason = reason.to_owned();
        let error = match self.state {
            State::Answered(_) => return,
            State::Unknown(_) => WriteError::Uncertain(reason),
            State::New | State::Placed(_) | State::Refused(..) => WriteError::Unavailable(reason),
        };
        self.answer(Err(error.answer()));
    }

    /// What the events name, and where their payloads are, has to be there before them.
    pub(super) async fn write_blobs(&self, blobs: &Blobs) -> Result<(), String> {
        blobs.write(self.request.blobs.iter().chain(&self.pack).collect()).await
    }

    pub(super) fn events(&self) -> Result<Vec<EventData>, serde_json::Error> {
        let pack = self.pack.as_ref().map(Blob::sha256);
        envelope::encode(self.request, &self.ids, pack.as_deref())
    }
}

/// The stream as it must be for its next event to be the one after `sequence`.
pub(super) fn after(sequence: u64) -> ExpectedRevision {
    sequence.checked_sub(1).map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact)
}
