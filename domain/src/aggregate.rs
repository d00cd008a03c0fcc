//! What every aggregate is: a state, decisions on it and a fold; and the thin adapter to cqrs-es.

use crate::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// What a decision may know of the world. Nothing else comes in.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub now: Timestamp,
    /// A fresh id for this decision; further ones are derived from it by name.
    pub id: Uuid,
}

/// An aggregate: `decide` is total and pure, `apply` cannot fail.
pub trait Decide: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The aggregate's type, as stored.
    const KIND: &'static str;
    /// The shape and the meaning of the state. Raised whenever the fold or the fields change, so that no snapshot of an older fold
    /// is taken for a new one.
    const STATE_VERSION: u32;
    type Command: Clone + Send + Sync;
    type Event: cqrs_es::DomainEvent;
    /// Why a command is refused: a mistake of the caller's, with a stable code.
    type Refusal: std::error::Error + Refusal + Send + Sync + 'static;

    /// The events that follow from a command. None means that the command had been applied already, or changes nothing.
    ///
    /// # Errors
    /// A refusal, when the command is not allowed in this state.
    fn decide(&self, command: Self::Command, context: &Context) -> Result<Vec<Self::Event>, Self::Refusal>;

    fn apply_event(&mut self, event: &Self::Event);
}

/// What the edge needs to know of a refusal.
pub trait Refusal {
    /// A stable code for programs, in snake case.
    fn code(&self) -> &'static str;
    /// What kind of mistake it is; the edge maps it to an HTTP status in one place.
    fn kind(&self) -> RefusalKind;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such thing.
    NotFound,
    /// It does not fit the present state; it may fit later.
    Conflict,
    /// The command itself is invalid.
    Invalid,
    /// The caller may not do this.
    Forbidden,
}

/// Makes an aggregate usable with everything of cqrs-es: `handle` decides and writes, nothing more.
macro_rules! cqrs_aggregate {
    ($aggregate:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = <$aggregate as $crate::aggregate::Decide>::KIND;
            type Command = <$aggregate as $crate::aggregate::Decide>::Command;
            type Event = <$aggregate as $crate::aggregate::Decide>::Event;
            type Error = <$aggregate as $crate::aggregate::Decide>::Refusal;
            type Services = $crate::aggregate::Context;

            async fn handle(
                &mut self,
                command: Self::Command,
                context: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::aggregate::Decide::decide(self, command, context)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::aggregate::Decide::apply_event(self, &event);
            }
        }
    };
}
pub(crate) use cqrs_aggregate;
