//! An aggregate to which an event that comes twice, late or never makes a difference. `VERSION` is its state's.

use docket_domain::{
    Context, Decide,
    aggregate::{Refusal, RefusalKind},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger<const VERSION: u32> {
    pub total: i64,
    pub entries: Vec<Entry>,
    pub last: Option<String>,
    pub counts: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub amount: i64,
    pub note: String,
}

impl cqrs_es::DomainEvent for Entry {
    fn event_type(&self) -> String {
        "ledger.entered".into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Never {}

impl Refusal for Never {
    fn code(&self) -> &'static str {
        "never"
    }

    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }
}

impl<const VERSION: u32> Decide for Ledger<VERSION> {
    const KIND: &'static str = "ledger";
    const STATE_VERSION: u32 = VERSION;
    type Command = Vec<Entry>;
    type Event = Entry;
    type Refusal = Never;

    fn decide(&self, command: Vec<Entry>, _: &Context) -> Result<Vec<Entry>, Never> {
        Ok(command)
    }

    fn apply_event(&mut self, event: &Entry) {
        self.total = self.total.wrapping_mul(31).wrapping_add(event.amount);
        self.last = Some(event.note.clone());
        *self.counts.entry(event.note.clone()).or_default() += 1;
        self.entries.push(event.clone());
    }
}
