//! Repairs of a conversation that hold for every protocol: a history with a flaw would be refused for ever.

use crate::{body::json_text, request::ModelRequest};
use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolCall, ToolOutcome},
    failure::Failure,
};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::HashSet};

/// What a tool result says where there is none.
const NO_RESULT: &str = "There is no result of this tool call: it was not carried out, or nobody recorded how it ended.";
/// What it says where the tool said nothing.
const NO_OUTPUT: &str = "(no output)";
/// What stands for a user's message without text.
const EMPTY_MESSAGE: &str = "(empty message)";

/// OpenAI takes ids of at most 40 characters; both protocols take these characters.
const LONGEST_ID: usize = 40;
const LONGEST_NAME: usize = 64;

/// What a person said, without parts that say nothing; never empty.
pub(crate) fn said(content: &[PromptPart]) -> Vec<&str> {
    let texts = content.iter().map(|PromptPart::Text { text }| text.as_str());
    let said: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
    if said.is_empty() { vec![EMPTY_MESSAGE] } else { said }
}

/// A part of an answer, as every protocol can send it.
#[derive(Debug)]
pub(crate) enum Sent<'a> {
    Text(&'a str),
    /// Reasoning of the same provider. `signature` is empty where it came without proof.
    Reasoning {
        text: &'a str,
        signature: &'a str,
    },
    Call(SentCall<'a>),
    /// A whole block in the words of this protocol.
    Opaque(&'a RawValue),
}

/// A tool call and its result, in a form that every provider takes.
#[derive(Clone, Debug)]
pub(crate) struct SentCall<'a> {
    pub(crate) id: String,
    pub(crate) name: Cow<'a, str>,
    pub(crate) input: ToolInput<'a>,
    /// Never blank.
    pub(crate) output: &'a str,
    /// A call without a result counts as failed.
    pub(crate) outcome: ToolOutcome,
}

/// The parts of an answer that are sent to the provider of `request`: what says something, and what is of its own making.
/// Another provider's reasoning and opaque blocks mean nothing to it and are left out.
///
/// # Errors
/// As [`ModelRequest::output`].
pub(crate) fn sent<'a>(
    request: &'a ModelRequest<'_>,
    message: &'a Message,
    dialect: &str,
    ids: &mut CallIds,
) -> Result<Vec<Sent<'a>>, Failure> {
    let Message::Assistant { model, parts, .. } = message else { return Ok(Vec::new()) };
    let same_provider = model.provider() == request.model.provider();
    let mut calls = message.tool_calls();
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        out.push(match part {
            AssistantPart::Text { text } if !text.trim().is_empty() => Sent::Text(text),
            AssistantPart::Reasoning { text, signature } if same_provider => {
                Sent::Reasoning { text, signature: signature.as_deref().unwrap_or_default() }
            }
            AssistantPart::ToolCall(call) => {
                let result = calls.next().and_then(|(_, result)| result);
                let (output, outcome) = match result {
                    Some(result) => (request.output(&result.output)?, result.outcome),
                    None => (NO_RESULT, ToolOutcome::Error),
                };
                let output = if output.trim().is_empty() { NO_OUTPUT } else { output };
                let (name, input) = (tool_name(&call.name), ToolInput::new(&call.input));
                Sent::Call(SentCall { id: ids.id(call), name, input, output, outcome })
            }
            AssistantPart::Opaque { dialect: of, data } if same_provider && of == dialect => {
                let object = serde_json::from_str::<Map<String, Value>>(data).ok();
                let Some(block) = object.and_then(|_| serde_json::from_str(data).ok()) else { continue };
                Sent::Opaque(block)
            }
            _ => continue,
        });
    }
    Ok(out)
}

/// The calls among the parts of an answer.
pub(crate) fn calls<'p, 'a>(parts: &'p [Sent<'a>]) -> impl Iterator<Item = &'p SentCall<'a>> {
    parts.iter().filter_map(|part| match part {
        Sent::Call(call) => Some(call),
        _ => None,
    })
}

/// Hands out the ids of tool calls as they are sent: the provider's own, unless it is one that would be refused (another
/// provider's, empty, used before). Some providers number the calls of each answer from 0.
#[derive(Debug, Default)]
pub(crate) struct CallIds(HashSet<String>);

impl CallIds {
    fn id(&mut self, call: &ToolCall) -> String {
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
fn tool_name(name: &str) -> Cow<'_, str> {
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
#[derive(Clone, Copy, Debug, Serialize)]
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

impl SentCall<'_> {
    /// The output with its outcome in front, for protocols that have no field for it.
    pub(crate) fn named_output(&self) -> String {
        let prefix = match self.outcome {
            ToolOutcome::Ok => "",
            ToolOutcome::Error => "Error: ",
            ToolOutcome::Unknown => "Outcome unknown: ",
            ToolOutcome::Cancelled => "Cancelled: ",
        };
        format!("{prefix}{}", self.output)
    }

    /// The call in words, for a provider that takes no calls where no tools are offered.
    ///
    /// # Errors
    /// As [`json_text`].
    pub(crate) fn told(&self) -> Result<String, Failure> {
        Ok(format!("(Called the tool {} with {})", self.name, json_text(&self.input)?))
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
