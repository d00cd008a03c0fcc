//! The decisions of a model call: what is recorded comes in order, and stops at the terminal.

use super::{command::ModelCallCommand, event::ModelCallEvent, state::ModelCall};
use crate::{
    aggregate::{Context, Decide, Refusal, RefusalKind},
    failure::{Failure, FailureClass},
};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ModelCallRefusal {
    #[error("the model call has no request")]
    NotRequested,
    #[error("the model call was requested already")]
    AlreadyRequested,
    #[error("the model call has ended")]
    Ended,
    #[error("delta {got} came where {expected} was due")]
    OutOfOrder { expected: u64, got: u64 },
    #[error("this event is not recorded by this command")]
    WrongEvent,
}

impl Refusal for ModelCallRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }
}

impl Decide for ModelCall {
    const KIND: &'static str = "model_call";
    const STATE_VERSION: u32 = 1;
    type Command = ModelCallCommand;
    type Event = ModelCallEvent;
    type Refusal = ModelCallRefusal;

    fn decide(&self, command: ModelCallCommand, _: &Context) -> Result<Vec<ModelCallEvent>, ModelCallRefusal> {
        match command {
            ModelCallCommand::Request(event) => self.request(event),
            ModelCallCommand::Record(events) => self.record(events),
            ModelCallCommand::Abandon => Ok(self.abandon()),
        }
    }

    fn apply_event(&mut self, event: &ModelCallEvent) {
        self.fold(event);
    }
}

impl ModelCall {
    fn request(&self, event: ModelCallEvent) -> Result<Vec<ModelCallEvent>, ModelCallRefusal> {
        if self.requested {
            return Err(ModelCallRefusal::AlreadyRequested);
        }
        match event {
            ModelCallEvent::Requested { .. } => Ok(vec![event]),
            _ => Err(ModelCallRefusal::WrongEvent),
        }
    }

    fn record(&self, events: Vec<ModelCallEvent>) -> Result<Vec<ModelCallEvent>, ModelCallRefusal> {
        if !self.requested {
            return Err(ModelCallRefusal::NotRequested);
        }
        let mut after = self.clone();
        for event in &events {
            if after.ended {
                return Err(ModelCallRefusal::Ended);
            }
            match event {
                ModelCallEvent::Requested { .. } => return Err(ModelCallRefusal::WrongEvent),
                ModelCallEvent::TextStreamed { index, .. }
                | ModelCallEvent::ReasoningStreamed { index, .. }
                | ModelCallEvent::ToolInputStreamed { index, .. }
                | ModelCallEvent::OpaqueReceived { index, .. }
                    if *index != after.deltas =>
                {
                    return Err(ModelCallRefusal::OutOfOrder { expected: after.deltas, got: *index });
                }
                _ => {}
            }
            after.fold(event);
        }
        Ok(events)
    }

    fn abandon(&self) -> Vec<ModelCallEvent> {
        if !self.requested || self.ended {
            return vec![];
        }
        let failure = Failure::new(FailureClass::WorkerLost, "the control plane's process ended while the call ran");
        vec![ModelCallEvent::Failed { failure, response_sha256: None }]
    }
}
