//! Turns: claim, interrupt, end.

use super::{Decision, queue};
use crate::{
    aggregate::Context,
    chat::{
        command::Partial,
        event::ChatEvent,
        refusal::ChatRefusal,
        state::{Chat, OpenModelCall, QueuedPrompt, Turn},
    },
    conversation::AssistantPart,
    failure::{Failure, FailureClass},
    ids::{UserId, WorkerId},
    usage::{StopReason, Usage},
};

pub(super) const CANCELLED: &str =
    "Cancelled: the person interrupted before it ended. A command may still be running; process_list shows it.";

impl Chat {
    pub(super) fn claim_turn(&self, worker: WorkerId, from: Option<WorkerId>) -> Decision {
        let turn = self.turn.as_ref().ok_or(ChatRefusal::NoTurn)?;
        if turn.worker == Some(worker) {
            return Ok(vec![]);
        }
        if turn.worker != from {
            return Err(ChatRefusal::NotYourTurn);
        }
        Ok(vec![ChatEvent::TurnClaimed { turn_id: turn.id, worker }])
    }

    pub(super) fn interrupt(&self, by: UserId, context: &Context) -> Decision {
        let turn = self.turn.as_ref().ok_or(ChatRefusal::NoTurn)?;
        Ok(if turn.interrupting { vec![] } else { self.interruption(by, self.queue.first(), context) })
    }

    /// Interrupts the open turn. One that nobody has claimed ends at once, and `next` begins.
    pub(super) fn interruption(&self, by: UserId, next: Option<&QueuedPrompt>, context: &Context) -> Vec<ChatEvent> {
        let Some(turn) = &self.turn else { return vec![] };
        if turn.interrupting {
            return vec![];
        }
        let mut events = vec![ChatEvent::InterruptRequested { turn_id: turn.id, by }];
        if turn.worker.is_none() {
            events.push(ChatEvent::TurnInterrupted { turn_id: turn.id });
            events.extend(next.map_or_else(Vec::new, |prompt| queue::deliver_as_turn(prompt, context)));
        }
        events
    }

    pub(super) fn finish_interrupt(&self, worker: WorkerId, partial: Option<Partial>, context: &Context) -> Decision {
        let turn = self.turn_of(worker)?;
        if !turn.interrupting {
            return Err(ChatRefusal::OutOfOrder { reason: "nobody asked to interrupt it" });
        }
        let mut events = Vec::new();
        match (&turn.model_call, partial) {
            (Some(open), Some(partial)) if partial.model_call_id == open.id => events.push(kept(open, partial)),
            (_, Some(_)) => return Err(ChatRefusal::ModelCallNotOpen),
            (Some(open), None) => events.push(ChatEvent::ModelCallFailed {
                model_call_id: open.id,
                failure: Failure::new(FailureClass::WorkerLost, "the turn was interrupted while its worker was gone"),
                partial: vec![],
                usage: Usage::default(),
            }),
            (None, None) => {}
        }
        events.extend(close_tool_calls(turn, CANCELLED));
        events.push(ChatEvent::TurnInterrupted { turn_id: turn.id });
        events.extend(self.deliver_head(context));
        Ok(events)
    }

    pub(super) fn fail_turn(&self, worker: WorkerId, failure: Failure) -> Decision {
        let turn = self.turn_of(worker)?;
        let mut events = Vec::new();
        if let Some(OpenModelCall { id, .. }) = turn.model_call {
            events.push(ChatEvent::ModelCallFailed {
                model_call_id: id,
                failure: failure.clone(),
                partial: vec![],
                usage: Usage::default(),
            });
        }
        events.extend(close_tool_calls(turn, "Cancelled: the turn failed before it ended."));
        events.push(ChatEvent::TurnFailed { turn_id: turn.id, failure });
        Ok(events)
    }
}

/// The partial answer as a message. Its tool calls were never executed, so they are left out.
fn kept(open: &OpenModelCall, partial: Partial) -> ChatEvent {
    let parts = partial.parts.into_iter().filter(|part| !matches!(part, AssistantPart::ToolCall(_))).collect();
    ChatEvent::ModelCallCompleted {
        model_call_id: open.id,
        model: open.model.clone(),
        parts,
        usage: partial.usage,
        stop_reason: StopReason::Interrupted,
    }
}

pub(super) fn close_tool_calls(turn: &Turn, reason: &str) -> Vec<ChatEvent> {
    let cancel = |id| ChatEvent::ToolCallCancelled { tool_call_id: id, reason: reason.to_owned() };
    turn.tool_calls.iter().map(|open| cancel(open.call.id)).collect()
}
