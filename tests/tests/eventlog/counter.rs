//! The simplest aggregate.

use cqrs_es::event_sink::EventSink;
use docket_domain::{
    Context, Decide, Timestamp,
    aggregate::{Refusal, RefusalKind},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    pub count: u64,
}

#[derive(Clone, Debug)]
pub enum Command {
    /// As many events.
    Count(u64),
    /// Allowed up to a limit.
    CountBelow(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    Counted { to: u64 },
}

impl cqrs_es::DomainEvent for Event {
    fn event_type(&self) -> String {
        "counter.counted".into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("full")
    }
}

impl std::error::Error for Full {}

impl Refusal for Full {
    fn code(&self) -> &'static str {
        "counter_full"
    }

    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }
}

impl Decide for Counter {
    const KIND: &'static str = "counter";
    const STATE_VERSION: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Refusal = Full;

    fn decide(&self, command: Command, _: &Context) -> Result<Vec<Event>, Full> {
        let events = match command {
            Command::CountBelow(limit) if self.count >= limit => return Err(Full),
            Command::CountBelow(_) => 1,
            Command::Count(events) => events,
        };
        Ok((1..=events).map(|number| Event::Counted { to: self.count + number }).collect())
    }

    fn apply_event(&mut self, event: &Event) {
        let Event::Counted { to } = event;
        assert_eq!(*to, self.count + 1, "an event is applied once, in order");
        self.count = *to;
    }
}

/// As the domain's own adapter does it.
impl cqrs_es::Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Command = Command;
    type Event = Event;
    type Error = Full;
    type Services = Context;

    async fn handle(&mut self, command: Command, context: &Context, sink: &EventSink<Self>) -> Result<(), Full> {
        let half_done = matches!(command, Command::CountBelow(0));
        for event in self.decide(if half_done { Command::Count(1) } else { command }, context)? {
            sink.write(event, self).await;
        }
        // A handler that changes its state and then fails.
        if half_done { Err(Full) } else { Ok(()) }
    }

    fn apply(&mut self, event: Event) {
        self.apply_event(&event);
    }
}

pub fn context() -> Context {
    Context { now: Timestamp(0), id: Uuid::nil() }
}
