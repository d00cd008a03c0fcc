//! Repairs of a conversation that hold for every protocol: a history with a flaw would be refused for ever.

use docket_domain::conversation::{ToolCall, ToolOutcome};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::HashSet};

/// What a tool result says where there is none.
pub(crate) const NO_RESULT: &str =
    "There is no result of this tool call: it was not carried out, or nobody recorded how it ended.";
/// What it says where the tool said nothing.
pub(crate) const NO_OUTPUT: &str = "(no output)";
/// What stands for a user's message without text.
pub(crate) const EMPTY_MESSAGE: &str = "(empty message)";

/// OpenAI takes ids of at most 40 characters; both protocols take these characters.
const LONGEST_ID: usize = 40;
const LONGEST_NAME: usize = 64;

/// Hands out the ids of tool calls as they are sent: the provider's own, unless it is one that would be refused (another
/// provider's, empty, used before). Some providers number the calls of each answer from 0.
#[derive(Debug, Default)]
pub(crate) struct CallIds(HashSet<String>);

impl CallIds {
    pub(crate) fn id(&mut self, call: &ToolCall) -> String {
        let id = &call.provider_id;
        let fits = !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(allowed);
        if fits && self.0.insert(id.clone()) {
            return id.clone();
        }
        // Ours is unique, and 37 characters with the prefix.
        let id = format!("call_{}", call.id.0.simple());
        self.0.insert(id.clone());
        id
    }
}

/// The tool's name as it is sent. A model that garbled it must not spoil the rest of the conversation.
pub(crate) fn tool_name(name: &str) -> Cow<'_, str> {
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(allowed) {
        return Cow::Borrowed(name);
    }
    let name: String = name.chars().take(LONGEST_NAME).map(|c| if allowed(c) { c } else { '_' }).collect();
    Cow::Owned(if name.is_empty() { "unknown".to_owned() } else { name })
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A tool call's input as a JSON object: exactly what the model wrote where that is one, `{}` for nothing, and
/// `{"_raw": "…"}` for anything else, so that the model can see what it wrote.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ToolInput<'a> {
    Object(&'a RawValue),
    Raw { _raw: &'a str },
    Empty {},
}

impl<'a> ToolInput<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        if input.trim().is_empty() {
            return Self::Empty {};
        }
        let object = serde_json::from_str::<Map<String, Value>>(input).ok().and_then(|_| serde_json::from_str(input).ok());
        object.map_or(Self::Raw { _raw: input }, Self::Object)
    }
}

/// How an outcome is named in front of a result, where the protocol has no field for it.
pub(crate) fn outcome_prefix(outcome: ToolOutcome) -> &'static str {
    match outcome {
        ToolOutcome::Ok => "",
        ToolOutcome::Error => "Error: ",
        ToolOutcome::Unknown => "Outcome unknown: ",
        ToolOutcome::Cancelled => "Cancelled: ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_domain::ids::ToolCallId;

    #[test]
    fn inputs_become_objects() {
        let json = |input| serde_json::to_string(&ToolInput::new(input)).unwrap();
        assert_eq!(json(""), "{}");
        assert_eq!(json(r#" { "b": 1,  "a": 2 }"#), r#"{ "b": 1,  "a": 2 }"#, "kept as written");
        assert_eq!(json("[1]"), r#"{"_raw":"[1]"}"#);
        assert_eq!(json(r#"{"cut": "of"#), r#"{"_raw":"{\"cut\": \"of"}"#);
    }

    #[test]
    fn ids_and_names_fit() {
        let call = |id: &str, n| ToolCall {
            id: ToolCallId(uuid::Uuid::from_u128(n)),
            provider_id: id.to_owned(),
            name: String::new(),
            input: String::new(),
        };
        let mut ids = CallIds::default();
        assert_eq!(ids.id(&call("toolu_1", 1)), "toolu_1");
        assert_eq!(ids.id(&call("toolu_1", 2)), "call_00000000000000000000000000000002");
        assert_eq!(ids.id(&call("functions.x:0", 3)), "call_00000000000000000000000000000003");
        assert_eq!(
            (tool_name("read_file"), tool_name("a b.c"), tool_name("")),
            ("read_file".into(), "a_b_c".into(), "unknown".into())
        );
    }
}
