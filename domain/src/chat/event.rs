//! What happened in a chat.

use crate::{
    conversation::{AssistantPart, PromptPart, ToolCall, ToolResult},
    failure::Failure,
    ids::{MessageId, ModelCallId, QueuedId, ToolCallId, TurnId, UserId, WorkerId, WorkspaceId},
    model_name::ModelName,
    time::Timestamp,
    usage::{StopReason, Usage},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When a prompt that is sent while a turn runs reaches the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// When the running turn has ended, as a turn of its own.
    #[default]
    TurnEnd,
    /// Before the next model call of the running turn.
    NextStep,
    /// Now: the running turn is interrupted.
    Interrupt,
}

/// Events of the stream `chat-{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "chat.")]
pub enum ChatEvent {
    Created {
        owner: UserId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelName>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workspace_id: Option<WorkspaceId>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
    PromptSubmitted {
        message_id: MessageId,
        by: UserId,
        content: Vec<PromptPart>,
    },

    PromptQueued {
        queued_id: QueuedId,
        by: UserId,
        content: Vec<PromptPart>,
        delivery: Delivery,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelName>,
    },
    QueuedPromptEdited {
        queued_id: QueuedId,
        content: Vec<PromptPart>,
    },
    /// The whole queue in its new order.
    QueuedPromptsReordered {
        order: Vec<QueuedId>,
    },
    QueuedPromptRemoved {
        queued_id: QueuedId,
    },
    /// Moved to the head of the queue, to be delivered at once.
    QueuedPromptPromoted {
        queued_id: QueuedId,
    },
    /// Left the queue and became a message.
    QueuedPromptDelivered {
        queued_id: QueuedId,
        message_id: MessageId,
        by: UserId,
        content: Vec<PromptPart>,
    },

    TurnRequested {
        turn_id: TurnId,
        /// On whose behalf the turn runs: the sender of its prompt.
        by: UserId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<ModelName>,
    },
    TurnClaimed {
        turn_id: TurnId,
        worker: WorkerId,
    },
    InterruptRequested {
        turn_id: TurnId,
        by: UserId,
    },
    TurnCompleted {
        turn_id: TurnId,
    },
    TurnInterrupted {
        turn_id: TurnId,
    },
    TurnFailed {
        turn_id: TurnId,
        failure: Failure,
    },

    ModelCallStarted {
        model_call_id: ModelCallId,
        turn_id: TurnId,
        /// Counted from 1 within the turn.
        step: u32,
        /// Counted from 1 within the step.
        attempt: u32,
        model: ModelName,
        /// SHA-256 of the exact request body, lower-case hex.
        request_sha256: String,
    },
    /// The assembled message: authoritative, equal to the fold of the call's deltas.
    ModelCallCompleted {
        model_call_id: ModelCallId,
        model: ModelName,
        parts: Vec<AssistantPart>,
        usage: Usage,
        stop_reason: StopReason,
    },
    ModelCallFailed {
        model_call_id: ModelCallId,
        failure: Failure,
        /// What had been streamed until then: shown to people, not sent to the model again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        partial: Vec<AssistantPart>,
        /// What the provider had counted until then: it is paid for all the same.
        #[serde(default, skip_serializing_if = "Usage::is_unknown")]
        usage: Usage,
    },
    ModelCallRetryScheduled {
        /// The attempt that is to be made.
        attempt: u32,
        at: Timestamp,
    },

    ToolCallRequested {
        model_call_id: ModelCallId,
        call: ToolCall,
    },
    /// About to be sent to where it runs. From here on, a loss is answered by asking there again under the same id.
    ToolCallDispatched {
        tool_call_id: ToolCallId,
    },
    ToolCallCompleted {
        tool_call_id: ToolCallId,
        result: ToolResult,
    },
    ToolCallCancelled {
        tool_call_id: ToolCallId,
        reason: String,
    },

    WorkspaceAttached {
        workspace_id: WorkspaceId,
    },
    WorkspaceDetached {
        workspace_id: WorkspaceId,
    },

    Titled {
        title: String,
    },
    /// All labels as they are now.
    Labelled {
        labels: BTreeMap<String, String>,
    },
    Pinned,
    Unpinned,
    Archived,
    Unarchived,
}

impl cqrs_es::DomainEvent for ChatEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
