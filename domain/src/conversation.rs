//! The conversation as a model is to see it: what the encoders of the providers turn into a request.

use crate::{
    ids::{MessageId, ModelCallId, ToolCallId},
    model_name::ModelName,
};
use serde::{Deserialize, Serialize};

/// A piece of what a person sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PromptPart {
    Text { text: String },
}

/// A piece of what a model says, in the order in which it said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AssistantPart {
    Text {
        text: String,
    },
    /// Thinking. `signature` is the provider's proof of it, which has to be sent back unchanged.
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    ToolCall(ToolCall),
    /// Something without a common meaning (redacted thinking, a provider's own tool), kept as received and sent back
    /// unchanged to the same protocol; other protocols leave it out. `data` is exact JSON text.
    Opaque {
        dialect: String,
        data: String,
    },
}

/// A tool call as the model made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: ToolCallId,
    /// The provider's id of the call, verbatim; it is sent back with the result.
    pub provider_id: String,
    pub name: String,
    /// The input as the model wrote it: meant to be a JSON object, but not checked. Empty means `{}`.
    pub input: String,
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ToolOutcome {
    Ok,
    /// The tool says what is wrong; the model is to read it.
    Error,
    /// Nobody can know whether it took effect: the machine that ran it is gone.
    Unknown,
    /// It was called off before it ended.
    Cancelled,
}

/// What a tool answered. Longer outputs lie in the blob table, named by their SHA-256 (lower-case hex).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolOutput {
    Inline { text: String },
    Blob { sha256: String, bytes: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    pub outcome: ToolOutcome,
    pub output: ToolOutput,
}

/// One entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    User {
        id: MessageId,
        content: Vec<PromptPart>,
    },
    /// What a model said, with the results of its tool calls in the order of the calls (`None` while one is open).
    Assistant {
        model_call_id: ModelCallId,
        model: ModelName,
        parts: Vec<AssistantPart>,
        results: Vec<Option<ToolResult>>,
    },
}

impl Message {
    /// The tool calls of an assistant's message, each with its result.
    pub fn tool_calls(&self) -> impl Iterator<Item = (&ToolCall, Option<&ToolResult>)> {
        let (parts, results): (&[AssistantPart], &[Option<ToolResult>]) = match self {
            Self::User { .. } => (&[], &[]),
            Self::Assistant { parts, results, .. } => (parts, results),
        };
        let calls = parts.iter().filter_map(|part| match part {
            AssistantPart::ToolCall(call) => Some(call),
            _ => None,
        });
        calls.enumerate().map(|(n, call)| (call, results.get(n).and_then(Option::as_ref)))
    }
}

/// A tool as it is offered to a model: a name, what it does, and the JSON schema (exact text) of its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    pub input_schema: String,
}
