//! The fold of a chat's events. It cannot fail, and each event touches at most one message.

use super::{
    document::{QueuedDocument, TurnDocument},
    message::{MessageDocument, MessageRole, MessageState, ToolCallDocument, ToolCallState},
    view::ChatView,
};
use docket_domain::{
    chat::{ChatEvent, Status},
    conversation::{PromptPart, ToolOutcome, ToolOutput},
    ids::{MessageId, ModelCallId, ToolCallId, UserId},
    usage::StopReason,
};

impl ChatView {
    /// Applies the next event of the chat's stream. The index of the message that it added or changed, if any.
    pub fn apply(&mut self, position: u64, recorded_at: i64, event: &ChatEvent) -> Option<usize> {
        self.chat.position = position;
        self.chat.updated_at = recorded_at;
        let filed = self.file(event);
        if filed {
            return None;
        }
        self.chat.last_activity_at = recorded_at;
        let touched = self.fold(position, recorded_at, event)?;
        let message = self.messages.get_mut(touched)?;
        message.position = position;
        message.updated_at = recorded_at;
        Some(touched)
    }

    /// What changes how a chat is kept, not what happens in it. Whether the event was one of these.
    fn file(&mut self, event: &ChatEvent) -> bool {
        let chat = &mut self.chat;
        match event {
            ChatEvent::Titled { title } => chat.title = Some(title.clone()),
            ChatEvent::Labelled { labels } => chat.labels.clone_from(labels),
            ChatEvent::Pinned => chat.pinned = true,
            ChatEvent::Unpinned => chat.pinned = false,
            ChatEvent::Archived => chat.archived = true,
            ChatEvent::Unarchived => chat.archived = false,
            _ => return false,
        }
        true
    }

    fn fold(&mut self, position: u64, at: i64, event: &ChatEvent) -> Option<usize> {
        match event {
            ChatEvent::Created { owner, title, model, workspace_id, labels } => {
                self.chat.owner = *owner;
                self.chat.title.clone_from(title);
                self.chat.model.clone_from(model);
                self.chat.workspace_id = *workspace_id;
                self.chat.labels.clone_from(labels);
                self.chat.created_at = at;
                None
            }
            ChatEvent::PromptSubmitted { message_id, by, content } => {
                Some(self.push_prompt(*message_id, *by, content, position, at))
            }
            ChatEvent::QueuedPromptDelivered { queued_id, message_id, by, content } => {
                self.chat.queue.retain(|prompt| prompt.id != *queued_id);
                Some(self.push_prompt(*message_id, *by, content, position, at))
            }
            ChatEvent::PromptQueued { .. }
            | ChatEvent::QueuedPromptEdited { .. }
            | ChatEvent::QueuedPromptsReordered { .. }
            | ChatEvent::QueuedPromptRemoved { .. }
            | ChatEvent::QueuedPromptPromoted { .. } => {
                self.fold_queue(at, event);
                None
            }
            ChatEvent::TurnRequested { .. }
            | ChatEvent::TurnClaimed { .. }
            | ChatEvent::InterruptRequested { .. }
            | ChatEvent::TurnCompleted { .. }
            | ChatEvent::TurnInterrupted { .. }
            | ChatEvent::TurnFailed { .. }
            | ChatEvent::ModelCallRetryScheduled { .. } => self.fold_turn(at, event),
            ChatEvent::ModelCallStarted { .. } | ChatEvent::ModelCallCompleted { .. } | ChatEvent::ModelCallFailed { .. } => {
                self.fold_model_call(position, at, event)
            }
            ChatEvent::ToolCallRequested { .. }
            | ChatEvent::ToolCallDispatched { .. }
            | ChatEvent::ToolCallCompleted { .. }
            | ChatEvent::ToolCallCancelled { .. } => self.fold_tool_call(at, event),
            ChatEvent::WorkspaceAttached { workspace_id } => {
                self.chat.workspace_id = Some(*workspace_id);
                None
            }
            ChatEvent::WorkspaceDetached { .. } => {
                self.chat.workspace_id = None;
                None
            }
            ChatEvent::Titled { .. }
            | ChatEvent::Labelled { .. }
            | ChatEvent::Pinned
            | ChatEvent::Unpinned
            | ChatEvent::Archived
            | ChatEvent::Unarchived => None,
        }
    }

    fn fold_queue(&mut self, at: i64, event: &ChatEvent) {
        let queue = &mut self.chat.queue;
        match event {
            ChatEvent::PromptQueued { queued_id, by, content, delivery, model } => queue.push(QueuedDocument {
                id: *queued_id,
                by: *by,
                content: content.clone(),
                delivery: *delivery,
                model: model.clone(),
                queued_at: at,
            }),
            ChatEvent::QueuedPromptEdited { queued_id, content } => {
                if let Some(prompt) = queue.iter_mut().find(|prompt| prompt.id == *queued_id) {
                    prompt.content.clone_from(content);
                }
            }
            ChatEvent::QueuedPromptsReordered { order } => {
                queue.sort_by_key(|prompt| order.iter().position(|id| *id == prompt.id));
            }
            ChatEvent::QueuedPromptRemoved { queued_id } => queue.retain(|prompt| prompt.id != *queued_id),
            ChatEvent::QueuedPromptPromoted { queued_id } => queue.sort_by_key(|prompt| prompt.id != *queued_id),
            _ => {}
        }
    }

    fn fold_turn(&mut self, at: i64, event: &ChatEvent) -> Option<usize> {
        let chat = &mut self.chat;
        match event {
            ChatEvent::TurnRequested { turn_id, by, model } => {
                chat.status = Status::Pending;
                chat.failure = None;
                if model.is_some() {
                    chat.model.clone_from(model);
                }
                chat.turn = Some(TurnDocument {
                    id: *turn_id,
                    by: *by,
                    worker: None,
                    step: 0,
                    attempt: 0,
                    retry_at: None,
                    started_at: at,
                    model_call_id: None,
                });
                // The prompt that began it stands right before it.
                let last = self.messages.len().checked_sub(1)?;
                let prompt = &mut self.messages[last];
                if prompt.role == MessageRole::User && prompt.turn_id.is_none() {
                    prompt.turn_id = Some(*turn_id);
                    return Some(last);
                }
            }
            ChatEvent::TurnClaimed { worker, .. } => {
                if chat.status == Status::Pending {
                    chat.status = Status::Running;
                }
                if let Some(turn) = &mut chat.turn {
                    turn.worker = Some(*worker);
                }
            }
            ChatEvent::InterruptRequested { .. } => chat.status = Status::Interrupting,
            ChatEvent::TurnCompleted { .. } | ChatEvent::TurnInterrupted { .. } => {
                chat.status = Status::Waiting;
                chat.turn = None;
            }
            ChatEvent::TurnFailed { failure, .. } => {
                chat.status = Status::Error;
                chat.turn = None;
                chat.failure = Some(failure.clone());
            }
            ChatEvent::ModelCallRetryScheduled { attempt, at } => {
                if let Some(turn) = &mut chat.turn {
                    turn.attempt = *attempt;
                    turn.retry_at = Some(at.0);
                }
            }
            _ => {}
        }
        None
    }

    fn fold_model_call(&mut self, position: u64, at: i64, event: &ChatEvent) -> Option<usize> {
        match event {
            ChatEvent::ModelCallStarted { model_call_id, turn_id, step, attempt, model, .. } => {
                self.chat.usage.model_calls += 1;
                if let Some(turn) = &mut self.chat.turn {
                    turn.step = *step;
                    turn.attempt = *attempt;
                    turn.retry_at = None;
                    turn.model_call_id = Some(*model_call_id);
                }
                let mut message = self.message(model_call_id.0, MessageRole::Assistant, position, at);
                message.turn_id = Some(*turn_id);
                message.state = MessageState::Streaming;
                message.model = Some(model.clone());
                message.step = Some(*step);
                message.attempt = Some(*attempt);
                Some(self.push(message))
            }
            ChatEvent::ModelCallCompleted { model_call_id, parts, usage, stop_reason, .. } => {
                self.chat.usage.add(usage);
                self.chat.last_usage = *usage;
                let (index, message) = self.close(*model_call_id)?;
                message.parts = parts.iter().map(Into::into).collect();
                message.usage = Some(*usage);
                message.stop_reason = Some(*stop_reason);
                let interrupted = *stop_reason == StopReason::Interrupted;
                message.state = if interrupted { MessageState::Interrupted } else { MessageState::Complete };
                Some(index)
            }
            ChatEvent::ModelCallFailed { model_call_id, failure, partial, usage } => {
                self.chat.usage.add(usage);
                let (index, message) = self.close(*model_call_id)?;
                message.parts = partial.iter().map(Into::into).collect();
                message.usage = Some(*usage).filter(|usage| !usage.is_unknown());
                message.failure = Some(failure.clone());
                message.state = MessageState::Failed;
                // Nobody will execute what a failed answer asked for.
                message.tool_calls_mut().for_each(|call| call.state = ToolCallState::Cancelled);
                Some(index)
            }
            _ => None,
        }
    }

    /// The message of a model call that ends: what was streamed into it gives way to what its last event says.
    fn close(&mut self, id: ModelCallId) -> Option<(usize, &mut MessageDocument)> {
        if let Some(turn) = &mut self.chat.turn {
            turn.model_call_id = None;
        }
        let index = self.messages.iter().rposition(|message| message.id == id.0)?;
        let message = &mut self.messages[index];
        message.usage = None;
        message.stop_reason = None;
        message.failure = None;
        Some((index, message))
    }

    fn fold_tool_call(&mut self, at: i64, event: &ChatEvent) -> Option<usize> {
        match event {
            ChatEvent::ToolCallRequested { call, .. } => self.with_call(call.id, |document| {
                document.state = ToolCallState::Requested;
                document.requested_at = Some(at);
            }),
            ChatEvent::ToolCallDispatched { tool_call_id } => self.with_call(*tool_call_id, |document| {
                document.state = ToolCallState::Dispatched;
                document.dispatched_at = Some(at);
            }),
            ChatEvent::ToolCallCompleted { tool_call_id, result } => self.with_call(*tool_call_id, |document| {
                document.state = ToolCallState::Completed;
                document.outcome = Some(result.outcome);
                document.output = Some(result.output.clone());
                document.completed_at = Some(at);
            }),
            ChatEvent::ToolCallCancelled { tool_call_id, reason } => self.with_call(*tool_call_id, |document| {
                document.state = ToolCallState::Cancelled;
                document.outcome = Some(ToolOutcome::Cancelled);
                document.output = Some(ToolOutput::Inline { text: reason.clone() });
                document.completed_at = Some(at);
            }),
            _ => None,
        }
    }

    fn with_call(&mut self, id: ToolCallId, change: impl FnOnce(&mut ToolCallDocument)) -> Option<usize> {
        for (index, message) in self.messages.iter_mut().enumerate().rev() {
            if let Some(call) = message.tool_calls_mut().find(|call| call.id == id) {
                change(call);
                return Some(index);
            }
        }
        None
    }

    fn push_prompt(&mut self, id: MessageId, by: UserId, content: &[PromptPart], position: u64, at: i64) -> usize {
        self.set_preview(content);
        let mut message = self.message(id.0, MessageRole::User, position, at);
        message.turn_id = self.chat.turn.as_ref().map(|turn| turn.id);
        message.by = Some(by);
        message.content = content.to_vec();
        self.push(message)
    }

    fn message(&self, id: uuid::Uuid, role: MessageRole, position: u64, at: i64) -> MessageDocument {
        MessageDocument {
            id,
            chat_id: self.chat.id,
            ordinal: self.chat.message_count,
            role,
            position,
            created_at: at,
            updated_at: at,
            turn_id: None,
            state: MessageState::Complete,
            by: None,
            content: Vec::new(),
            model: None,
            step: None,
            attempt: None,
            parts: Vec::new(),
            usage: None,
            stop_reason: None,
            failure: None,
        }
    }

    fn push(&mut self, message: MessageDocument) -> usize {
        self.chat.message_count += 1;
        self.messages.push(message);
        self.messages.len() - 1
    }
}
