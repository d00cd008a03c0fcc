//! What may be asked of a chat, by people and by the worker that runs its turn.

use super::event::Delivery;
use crate::{
    conversation::{AssistantPart, PromptPart, ToolResult},
    failure::Failure,
    ids::{MessageId, ModelCallId, QueuedId, ToolCallId, UserId, WorkerId, WorkspaceId},
    model_name::ModelName,
    usage::{StopReason, Usage},
};
use std::collections::BTreeMap;

/// A prompt as it comes in.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The id of the message that it becomes, or of its place in the queue.
    pub id: uuid::Uuid,
    pub by: UserId,
    pub content: Vec<PromptPart>,
    pub model: Option<ModelName>,
}

/// A model's answer as far as it came before it was interrupted.
#[derive(Clone, Debug)]
pub struct Partial {
    pub model_call_id: ModelCallId,
    pub parts: Vec<AssistantPart>,
    pub usage: Usage,
}

#[derive(Clone, Debug)]
pub enum ChatCommand {
    Create {
        owner: UserId,
        title: Option<String>,
        model: Option<ModelName>,
        workspace_id: Option<WorkspaceId>,
        labels: BTreeMap<String, String>,
        prompt: Option<Prompt>,
    },
    Submit {
        prompt: Prompt,
        delivery: Delivery,
    },
    EditQueued {
        queued_id: QueuedId,
        content: Vec<PromptPart>,
    },
    ReorderQueue {
        order: Vec<QueuedId>,
    },
    RemoveQueued {
        queued_id: QueuedId,
    },
    PromoteQueued {
        queued_id: QueuedId,
        by: UserId,
    },
    Interrupt {
        by: UserId,
    },
    SetTitle {
        title: String,
    },
    SetLabels {
        labels: BTreeMap<String, String>,
    },
    SetPinned {
        pinned: bool,
    },
    SetArchived {
        archived: bool,
    },
    AttachWorkspace {
        workspace_id: WorkspaceId,
    },
    DetachWorkspace,

    /// Take a turn that nobody runs, or that a dead worker left (`from`).
    ClaimTurn {
        worker: WorkerId,
        from: Option<WorkerId>,
    },
    /// Deliver what was sent for the next step, before the next model call.
    DeliverForStep {
        worker: WorkerId,
    },
    StartModelCall {
        worker: WorkerId,
        model_call_id: ModelCallId,
        model: ModelName,
        request_sha256: String,
    },
    CompleteModelCall {
        worker: WorkerId,
        model_call_id: ModelCallId,
        parts: Vec<AssistantPart>,
        usage: Usage,
        stop_reason: StopReason,
    },
    FailModelCall {
        worker: WorkerId,
        model_call_id: ModelCallId,
        failure: Failure,
        partial: Vec<AssistantPart>,
        usage: Usage,
    },
    DispatchToolCall {
        worker: WorkerId,
        tool_call_id: ToolCallId,
    },
    CompleteToolCall {
        worker: WorkerId,
        tool_call_id: ToolCallId,
        result: ToolResult,
    },
    /// End an interrupted turn, keeping what had been said.
    FinishInterrupt {
        worker: WorkerId,
        partial: Option<Partial>,
    },
    FailTurn {
        worker: WorkerId,
        failure: Failure,
    },
}

impl Prompt {
    pub(super) fn message_id(&self) -> MessageId {
        MessageId(self.id)
    }

    pub(super) fn queued_id(&self) -> QueuedId {
        QueuedId(self.id)
    }
}
