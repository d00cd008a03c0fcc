//! A message as it is shown.

use docket_domain::{
    conversation::{AssistantPart, PromptPart, ToolCall, ToolOutcome, ToolOutput},
    failure::Failure,
    ids::{ChatId, ToolCallId, TurnId, UserId},
    model_name::ModelName,
    usage::{StopReason, Usage},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MessageRole {
    User,
    Assistant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// The model call is open.
    Streaming,
    Complete,
    /// A person interrupted; this is what had been said.
    Interrupted,
    /// The model call failed; this is what had been said. It is not sent to the model again.
    Failed,
}

/// A message: what a person sent, or one model call's answer with the tool calls it made. Times are µs since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageDocument {
    /// Of an assistant's message: the id of its model call.
    pub id: Uuid,
    #[schema(value_type = Uuid)]
    pub chat_id: ChatId,
    /// The place in the chat, from 0, without holes.
    pub ordinal: u64,
    pub role: MessageRole,
    /// Of the last event that is in this document.
    pub position: u64,
    pub created_at: i64,
    pub updated_at: i64,
    /// The turn that it began, or belongs to.
    #[schema(value_type = Option<Uuid>)]
    pub turn_id: Option<TurnId>,
    pub state: MessageState,

    /// Of a user's message: who sent it.
    #[schema(value_type = Option<Uuid>)]
    pub by: Option<UserId>,
    /// Of a user's message: what was sent.
    #[schema(value_type = Vec<Object>)]
    pub content: Vec<PromptPart>,

    /// Of an assistant's message, as everything below.
    #[schema(value_type = Option<String>)]
    pub model: Option<ModelName>,
    pub step: Option<u32>,
    pub attempt: Option<u32>,
    pub parts: Vec<PartDocument>,
    #[schema(value_type = Option<Object>)]
    pub usage: Option<Usage>,
    #[schema(value_type = Option<String>)]
    pub stop_reason: Option<StopReason>,
    #[schema(value_type = Option<Object>)]
    pub failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolCallState {
    /// The model is still writing its input.
    Streaming,
    Requested,
    Dispatched,
    Completed,
    Cancelled,
}

/// A piece of what a model said. `block` is there while the message is streamed: the deltas that continue a piece name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PartDocument {
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u32>,
    },
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u32>,
    },
    ToolCall(ToolCallDocument),
    Opaque {
        dialect: String,
        data: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u32>,
    },
}

/// A tool call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallDocument {
    #[schema(value_type = Uuid)]
    pub id: ToolCallId,
    pub name: String,
    /// As the model wrote it.
    pub input: String,
    pub state: ToolCallState,
    /// `ok`, `error`, `unknown` or `cancelled`.
    #[schema(value_type = Option<String>)]
    pub outcome: Option<ToolOutcome>,
    /// `{"type":"inline","text"}`, or `{"type":"blob","sha256","bytes"}` for a long one.
    #[schema(value_type = Option<Object>)]
    pub output: Option<ToolOutput>,
    pub requested_at: Option<i64>,
    pub dispatched_at: Option<i64>,
    pub completed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
}

impl MessageDocument {
    /// The tool calls that the message makes.
    pub fn tool_calls_mut(&mut self) -> impl Iterator<Item = &mut ToolCallDocument> {
        self.parts.iter_mut().filter_map(|part| match part {
            PartDocument::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

impl PartDocument {
    pub(super) fn block(&self) -> Option<u32> {
        match self {
            Self::Text { block, .. } | Self::Reasoning { block, .. } | Self::Opaque { block, .. } => *block,
            Self::ToolCall(call) => call.block,
        }
    }
}

/// A part as the completed answer has it.
impl From<&AssistantPart> for PartDocument {
    fn from(part: &AssistantPart) -> Self {
        match part.clone() {
            AssistantPart::Text { text } => Self::Text { text, block: None },
            AssistantPart::Reasoning { text, signature } => Self::Reasoning { text, signature, block: None },
            AssistantPart::ToolCall(call) => Self::ToolCall((&call).into()),
            AssistantPart::Opaque { dialect, data } => Self::Opaque { dialect, data, block: None },
        }
    }
}

impl From<&ToolCall> for ToolCallDocument {
    fn from(call: &ToolCall) -> Self {
        Self {
            id: call.id,
            name: call.name.clone(),
            input: call.input.clone(),
            state: ToolCallState::Streaming,
            outcome: None,
            output: None,
            requested_at: None,
            dispatched_at: None,
            completed_at: None,
            block: None,
        }
    }
}
