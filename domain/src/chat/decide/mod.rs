//! The decisions of a chat. This file holds only the dispatch; each family of commands has a file.

mod life;
mod model_call;
mod prompt;
mod queue;
mod tool_call;
mod turn;

use super::{
    command::ChatCommand,
    event::ChatEvent,
    refusal::ChatRefusal,
    state::{Chat, Turn},
};
use crate::{
    aggregate::{Context, Decide},
    ids::{TurnId, WorkerId},
};

type Decision = Result<Vec<ChatEvent>, ChatRefusal>;

impl Decide for Chat {
    const KIND: &'static str = "chat";
    const STATE_VERSION: u32 = 1;
    type Command = ChatCommand;
    type Event = ChatEvent;
    type Refusal = ChatRefusal;

    fn decide(&self, command: ChatCommand, context: &Context) -> Decision {
        if let ChatCommand::Create { owner, title, model, workspace_id, labels, prompt } = command {
            return self.create(owner, title, model, workspace_id, labels, prompt, context);
        }
        if !self.exists() {
            return Err(ChatRefusal::ChatNotFound);
        }
        match command {
            ChatCommand::Create { .. } => Err(ChatRefusal::ChatExists),
            ChatCommand::Submit { prompt, delivery } => self.submit(prompt, delivery, context),
            ChatCommand::EditQueued { queued_id, content } => self.edit_queued(queued_id, content),
            ChatCommand::ReorderQueue { order } => self.reorder_queue(order),
            ChatCommand::RemoveQueued { queued_id } => self.remove_queued(queued_id),
            ChatCommand::PromoteQueued { queued_id, by } => self.promote_queued(queued_id, by, context),
            ChatCommand::Interrupt { by } => self.interrupt(by, context),
            ChatCommand::SetTitle { title } => self.set_title(title),
            ChatCommand::SetLabels { labels } => self.set_labels(labels),
            ChatCommand::SetPinned { pinned } => self.set_pinned(pinned),
            ChatCommand::SetArchived { archived } => self.set_archived(archived),
            ChatCommand::AttachWorkspace { workspace_id } => self.attach_workspace(workspace_id),
            ChatCommand::DetachWorkspace => self.detach_workspace(),
            ChatCommand::ClaimTurn { worker, from } => self.claim_turn(worker, from),
            ChatCommand::DeliverForStep { worker } => self.deliver_for_step(worker),
            ChatCommand::StartModelCall { worker, model_call_id, model, request_sha256 } => {
                self.start_model_call(worker, model_call_id, model, request_sha256)
            }
            ChatCommand::CompleteModelCall { worker, model_call_id, parts, usage, stop_reason } => {
                self.complete_model_call(worker, model_call_id, parts, usage, stop_reason, context)
            }
            ChatCommand::FailModelCall { worker, model_call_id, failure, partial, usage } => {
                self.fail_model_call(worker, model_call_id, failure, partial, usage, context)
            }
            ChatCommand::DispatchToolCall { worker, tool_call_id } => self.dispatch_tool_call(worker, tool_call_id),
            ChatCommand::CompleteToolCall { worker, tool_call_id, result } => {
                self.complete_tool_call(worker, tool_call_id, result)
            }
            ChatCommand::FinishInterrupt { worker, partial } => self.finish_interrupt(worker, partial, context),
            ChatCommand::FailTurn { worker, failure } => self.fail_turn(worker, failure),
        }
    }

    fn apply_event(&mut self, event: &ChatEvent) {
        self.fold(event);
    }
}

impl Chat {
    /// The open turn, if `worker` holds it.
    fn turn_of(&self, worker: WorkerId) -> Result<&Turn, ChatRefusal> {
        let turn = self.turn.as_ref().ok_or(ChatRefusal::NoTurn)?;
        if turn.worker == Some(worker) { Ok(turn) } else { Err(ChatRefusal::NotYourTurn) }
    }

    /// What follows the end of a turn: the head of the queue is delivered, and its turn begins.
    fn deliver_head(&self, context: &Context) -> Vec<ChatEvent> {
        self.queue.first().map_or_else(Vec::new, |prompt| queue::deliver_as_turn(prompt, context))
    }
}

/// The id of the turn that this decision begins.
fn fresh_turn(context: &Context) -> TurnId {
    TurnId::derive(context.id, "turn")
}
