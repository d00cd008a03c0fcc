//! The audit log as rows.

use super::act::act;
use crate::{
    database::{Transaction, Upsert, Value},
    error::ApplyError,
    projection::{Projection, Table},
};
use docket_domain::{
    actor::Actor, chat::ChatEvent, model_call::ModelCallEvent, policy::PolicyEvent, template::TemplateEvent, user::UserEvent,
    workspace::WorkspaceEvent,
};
use docket_eventlog::{Filter, Recorded};
use std::sync::Arc;
use strum::VariantNames;

const ROWS: Upsert = Upsert {
    table: "audit_log@",
    columns: &[
        "position",
        "recorded_at",
        "actor_kind",
        "actor_id",
        "on_behalf_of",
        "action",
        "resource",
        "chat_id",
        "outcome",
        "summary",
    ],
    key: &["position"],
    replace: &[],
    add: &[],
};

/// What is no act of anybody's: the pieces of a stream.
const PIECES: [&str; 6] = [
    "model_call.text_streamed",
    "model_call.reasoning_streamed",
    "model_call.tool_input_streamed",
    "model_call.opaque_received",
    "model_call.usage_reported",
    "workspace.build_logged",
];

/// One row for every act.
#[derive(Debug, Default)]
pub struct AuditLog;

impl Projection for AuditLog {
    const NAME: &'static str = "audit_log";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[Table {
        name: "audit_log",
        key: &["position"],
        columns: "position BIGINT PRIMARY KEY, recorded_at BIGINT NOT NULL, actor_kind TEXT NOT NULL, actor_id TEXT, \
                on_behalf_of TEXT NOT NULL, action TEXT NOT NULL, resource TEXT NOT NULL, chat_id TEXT, outcome TEXT \
                NOT NULL, summary TEXT NOT NULL",
        indexes: &[
            ("chat", "chat_id, position"),
            ("actor", "actor_id, position"),
            ("behalf", "on_behalf_of, position"),
            ("action", "action, position"),
        ],
    }];

    fn filter() -> Filter {
        let all = [
            ChatEvent::VARIANTS,
            ModelCallEvent::VARIANTS,
            WorkspaceEvent::VARIANTS,
            TemplateEvent::VARIANTS,
            UserEvent::VARIANTS,
            PolicyEvent::VARIANTS,
        ];
        Filter::all().types(all.concat().into_iter().filter(|event_type| !PIECES.contains(event_type)))
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let rows: Vec<_> = events.iter().map(|event| row(event)).collect::<Result<_, _>>()?;
        Ok(ROWS.write(tx, rows).await?)
    }
}

/// The acts among the events of model calls, which are few: nearly all of them are pieces.
pub(crate) fn model_calls() -> Filter {
    Filter::all().types(ModelCallEvent::VARIANTS.iter().copied().filter(|event_type| !PIECES.contains(event_type)))
}

fn row(event: &Recorded) -> Result<Vec<Value>, ApplyError> {
    let metadata = event.metadata()?;
    let (outcome, summary) = act(event)?;
    // A chat and its model calls are of the chat; what else is done for a chat says so.
    let of_chat = matches!(&*event.stream.aggregate_type, "chat" | "model_call");
    let chat = if of_chat { event.scope } else { metadata.correlation };
    let (kind, actor) = match metadata.actor {
        Actor::User(id) => ("user", Some(id.0)),
        Actor::Worker(id) => ("worker", Some(id.0)),
        Actor::Workspace(id) => ("workspace", Some(id.0)),
        Actor::System => ("system", None),
    };
    Ok(vec![
        Value::count(event.position),
        Value::int(event.recorded_at),
        Value::text(kind),
        Value::maybe(actor),
        Value::id(metadata.on_behalf_of),
        Value::id(&event.event_type),
        Value::id(&event.stream),
        Value::maybe(chat),
        Value::text(outcome),
        Value::text(summary),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_an_event_type() {
        for piece in PIECES {
            assert!([ModelCallEvent::VARIANTS, WorkspaceEvent::VARIANTS].concat().contains(&piece), "{piece}");
        }
    }
}
