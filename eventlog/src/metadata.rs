//! Metadata as it is stored: a flat JSON object of strings, because any other would keep cqrs-es programs from reading the log.

use docket_domain::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{borrow::Cow, collections::HashMap};

/// `actor` is `system`, or a kind and an id as in `user:0192…`; `causation` is a number in decimal digits.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    actor: Cow<'a, str>,
    on_behalf_of: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_parent: Option<Cow<'a, str>>,
}

/// The exact bytes that are stored.
pub(crate) fn encode(metadata: &Metadata) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&stored(metadata)?)
}

pub(crate) fn decode(json: &[u8]) -> Result<Metadata, serde_json::Error> {
    restored(serde_json::from_slice(json)?)
}

/// Metadata as cqrs-es's map of strings; what is stored, field by field.
///
/// # Errors
/// When the metadata cannot be encoded; it always can.
pub fn to_map(metadata: &Metadata) -> Result<HashMap<String, String>, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(stored(metadata)?)?)
}

/// What a map of strings says; Docket itself acted when it names no actor.
pub(crate) fn from_map(map: &HashMap<String, String>) -> Result<Metadata, serde_json::Error> {
    if !map.contains_key("actor") {
        return Ok(Metadata::system());
    }
    restored(serde_json::from_value(json!(map))?)
}

fn stored(metadata: &Metadata) -> Result<Stored<'_>, serde_json::Error> {
    // In full, so that a new field is not forgotten.
    let Metadata { actor, on_behalf_of, command, causation, correlation, trace_parent } = metadata;
    let actor = serde_json::to_value(actor)?;
    let part = |name| actor.get(name).and_then(Value::as_str);
    Ok(Stored {
        actor: match (part("kind"), part("id")) {
            (Some(kind), Some(id)) => format!("{kind}:{id}").into(),
            (kind, _) => kind.unwrap_or_default().to_owned().into(),
        },
        on_behalf_of: on_behalf_of.to_string().into(),
        command: command.map(|id| id.to_string().into()),
        causation: causation.map(|position| position.to_string().into()),
        correlation: correlation.map(|id| id.to_string().into()),
        trace_parent: trace_parent.as_deref().map(Cow::Borrowed),
    })
}

fn restored(stored: Stored<'_>) -> Result<Metadata, serde_json::Error> {
    let mut fields = serde_json::to_value(&stored)?;
    fields["actor"] = match stored.actor.split_once(':') {
        Some((kind, id)) => json!({"kind": kind, "id": id}),
        None => json!({"kind": stored.actor}),
    };
    if let Some(position) = stored.causation {
        fields["causation"] = serde_json::from_str(&position)?;
    }
    serde_json::from_value(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_domain::{
        actor::Actor,
        ids::{CommandId, UserId, WorkerId, WorkspaceId},
    };
    use uuid::Uuid;

    #[test]
    fn every_field_returns() {
        let id = Uuid::now_v7();
        for actor in [Actor::System, Actor::User(UserId(id)), Actor::Worker(WorkerId(id)), Actor::Workspace(WorkspaceId(id))] {
            let mut metadata = Metadata::new(actor, UserId(id));
            assert_eq!(decode(&encode(&metadata).unwrap()).unwrap(), metadata);
            metadata = metadata.commanded(CommandId(id)).caused_by(u64::MAX).correlated(id);
            metadata.trace_parent = Some("00-\u{0}ü\"-01".into());
            assert_eq!(decode(&encode(&metadata).unwrap()).unwrap(), metadata);
            assert_eq!(from_map(&to_map(&metadata).unwrap()).unwrap(), metadata);
        }
        assert_eq!(from_map(&HashMap::new()).unwrap(), Metadata::system());
    }

    #[test]
    fn stored_text_is_fixed() {
        let metadata = Metadata::new(Actor::User(UserId(Uuid::nil())), UserId::SYSTEM).caused_by(7);
        let nil = "00000000-0000-0000-0000-000000000000";
        let json = format!(r#"{{"actor":"user:{nil}","on_behalf_of":"{nil}","causation":"7"}}"#);
        assert_eq!(String::from_utf8(encode(&metadata).unwrap()).unwrap(), json);
        assert!(decode(b"{}").is_err());
    }
}
