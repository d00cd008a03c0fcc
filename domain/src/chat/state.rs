//! The state of a chat: the fold of its events.

use super::event::{ChatEvent, Delivery};
use crate::{
    conversation::{AssistantPart, Message, PromptPart, ToolCall, ToolOutcome, ToolOutput, ToolResult},
    failure::Failure,
    ids::{ModelCallId, QueuedId, ToolCallId, TurnId, UserId, WorkerId, WorkspaceId},
    model_name::ModelName,
    time::Timestamp,
    usage::{StopReason, Usage},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a chat is doing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// For the next prompt.
    Waiting,
    /// A turn is to begin.
    Pending,
    Running,
    /// A person asked to stop; the turn is about to end.
    Interrupting,
    /// The last turn failed.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedPrompt {
    pub id: QueuedId,
    pub by: UserId,
    pub content: Vec<PromptPart>,
    pub delivery: Delivery,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenToolCall {
    pub call: ToolCall,
    pub dispatched: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenModelCall {
    pub id: ModelCallId,
    pub model: ModelName,
}

/// The turn under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub id: TurnId,
    pub by: UserId,
    pub model: Option<ModelName>,
    pub worker: Option<WorkerId>,
    pub interrupting: bool,
    /// Model calls that were completed.
    pub steps: u32,
    /// Failed attempts at the present step.
    pub attempts: u32,
    pub retry_at: Option<Timestamp>,
    pub model_call: Option<OpenModelCall>,
    pub last_stop: Option<StopReason>,
    pub tool_calls: Vec<OpenToolCall>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub owner: Option<UserId>,
    pub title: Option<String>,
    pub model: Option<ModelName>,
    pub labels: BTreeMap<String, String>,
    pub pinned: bool,
    pub archived: bool,
    pub workspace_id: Option<WorkspaceId>,
    /// The conversation as the model is to see it.
    pub messages: Vec<Message>,
    pub queue: Vec<QueuedPrompt>,
    pub turn: Option<Turn>,
    /// Why the last turn failed, until the next begins.
    pub failure: Option<Failure>,
    /// What the last completed model call used.
    pub last_usage: Usage,
}

impl Chat {
    #[must_use]
    pub fn exists(&self) -> bool {
        self.owner.is_some()
    }

    #[must_use]
    pub fn status(&self) -> Status {
        match &self.turn {
            Some(turn) if turn.interrupting => Status::Interrupting,
            Some(turn) if turn.worker.is_some() => Status::Running,
            Some(_) => Status::Pending,
            None if self.failure.is_some() => Status::Error,
            None => Status::Waiting,
        }
    }

    pub(super) fn fold(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Created { owner, title, model, workspace_id, labels } => {
                self.owner = Some(*owner);
                self.title.clone_from(title);
                self.model.clone_from(model);
                self.workspace_id = *workspace_id;
                self.labels.clone_from(labels);
            }
            ChatEvent::PromptSubmitted { message_id, content, .. } => {
                self.messages.push(Message::User { id: *message_id, content: content.clone() });
            }
            ChatEvent::PromptQueued { queued_id, by, content, delivery, model } => self.queue.push(QueuedPrompt {
                id: *queued_id,
                by: *by,
                content: content.clone(),
                delivery: *delivery,
                model: model.clone(),
            }),
            ChatEvent::QueuedPromptEdited { queued_id, content } => {
                if let Some(prompt) = self.queue.iter_mut().find(|prompt| prompt.id == *queued_id) {
                    prompt.content.clone_from(content);
                }
            }
            ChatEvent::QueuedPromptsReordered { order } => {
                self.queue.sort_by_key(|prompt| order.iter().position(|id| *id == prompt.id));
            }
            ChatEvent::QueuedPromptRemoved { queued_id } => self.queue.retain(|prompt| prompt.id != *queued_id),
            ChatEvent::QueuedPromptPromoted { queued_id } => {
                self.queue.sort_by_key(|prompt| prompt.id != *queued_id);
            }
            ChatEvent::QueuedPromptDelivered { queued_id, message_id, content, .. } => {
                self.queue.retain(|prompt| prompt.id != *queued_id);
                self.messages.push(Message::User { id: *message_id, content: content.clone() });
            }
            ChatEvent::TurnRequested { turn_id, by, model } => {
                self.failure = None;
                if model.is_some() {
                    self.model.clone_from(model);
                }
                self.turn = Some(Turn {
                    id: *turn_id,
                    by: *by,
                    model: model.clone().or_else(|| self.model.clone()),
                    worker: None,
                    interrupting: false,
                    steps: 0,
                    attempts: 0,
                    retry_at: None,
                    model_call: None,
                    last_stop: None,
                    tool_calls: Vec::new(),
                });
            }
            ChatEvent::TurnCompleted { .. } | ChatEvent::TurnInterrupted { .. } => self.turn = None,
            ChatEvent::TurnFailed { failure, .. } => {
                self.turn = None;
                self.failure = Some(failure.clone());
            }
            ChatEvent::TurnClaimed { .. }
            | ChatEvent::InterruptRequested { .. }
            | ChatEvent::ModelCallStarted { .. }
            | ChatEvent::ModelCallCompleted { .. }
            | ChatEvent::ModelCallFailed { .. }
            | ChatEvent::ModelCallRetryScheduled { .. }
            | ChatEvent::ToolCallRequested { .. }
            | ChatEvent::ToolCallDispatched { .. }
            | ChatEvent::ToolCallCompleted { .. }
            | ChatEvent::ToolCallCancelled { .. } => self.fold_in_turn(event),
            ChatEvent::WorkspaceAttached { workspace_id } => self.workspace_id = Some(*workspace_id),
            ChatEvent::WorkspaceDetached { .. } => self.workspace_id = None,
            ChatEvent::Titled { title } => self.title = Some(title.clone()),
            ChatEvent::Labelled { labels } => self.labels.clone_from(labels),
            ChatEvent::Pinned => self.pinned = true,
            ChatEvent::Unpinned => self.pinned = false,
            ChatEvent::Archived => self.archived = true,
            ChatEvent::Unarchived => self.archived = false,
        }
    }

    fn fold_in_turn(&mut self, event: &ChatEvent) {
        let Some(turn) = &mut self.turn else { return };
        match event {
            ChatEvent::TurnClaimed { worker, .. } => turn.worker = Some(*worker),
            ChatEvent::InterruptRequested { .. } => turn.interrupting = true,
            ChatEvent::ModelCallStarted { model_call_id, model, .. } => {
                turn.model_call = Some(OpenModelCall { id: *model_call_id, model: model.clone() });
                turn.retry_at = None;
            }
            ChatEvent::ModelCallCompleted { model_call_id, model, parts, usage, stop_reason } => {
                turn.model_call = None;
                turn.steps += 1;
                turn.attempts = 0;
                turn.last_stop = Some(*stop_reason);
                self.last_usage = *usage;
                let calls = parts.iter().filter(|part| matches!(part, AssistantPart::ToolCall(_))).count();
                // An answer that was interrupted before its first word is no message.
                if !parts.is_empty() {
                    self.messages.push(Message::Assistant {
                        model_call_id: *model_call_id,
                        model: model.clone(),
                        parts: parts.clone(),
                        results: vec![None; calls],
                    });
                }
            }
            ChatEvent::ModelCallFailed { .. } => {
                turn.model_call = None;
                turn.attempts += 1;
            }
            ChatEvent::ModelCallRetryScheduled { at, .. } => turn.retry_at = Some(*at),
            ChatEvent::ToolCallRequested { call, .. } => {
                turn.tool_calls.push(OpenToolCall { call: call.clone(), dispatched: false });
            }
            ChatEvent::ToolCallDispatched { tool_call_id } => {
                if let Some(open) = turn.tool_calls.iter_mut().find(|open| open.call.id == *tool_call_id) {
                    open.dispatched = true;
                }
            }
            ChatEvent::ToolCallCompleted { tool_call_id, result } => self.close_tool_call(*tool_call_id, result.clone()),
            ChatEvent::ToolCallCancelled { tool_call_id, reason } => self.close_tool_call(
                *tool_call_id,
                ToolResult { outcome: ToolOutcome::Cancelled, output: ToolOutput::Inline { text: reason.clone() } },
            ),
            _ => {}
        }
    }

    fn close_tool_call(&mut self, id: ToolCallId, result: ToolResult) {
        if let Some(turn) = &mut self.turn {
            turn.tool_calls.retain(|open| open.call.id != id);
        }
        if let Some(Message::Assistant { parts, results, .. }) =
            self.messages.iter_mut().rev().find(|message| message.tool_calls().any(|(call, _)| call.id == id))
        {
            let calls = parts.iter().filter_map(|part| match part {
                AssistantPart::ToolCall(call) => Some(call.id),
                _ => None,
            });
            if let Some(slot) = calls.enumerate().find(|(_, call)| *call == id).and_then(|(n, _)| results.get_mut(n)) {
                *slot = Some(result);
            }
        }
    }
}
