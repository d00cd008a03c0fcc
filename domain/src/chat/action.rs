//! What the loop is to do next: an effect as a value, a pure function of the state. A worker that dies at any line asks again.

use super::state::{Chat, OpenToolCall};
use crate::{
    ids::{ModelCallId, TurnId, WorkerId},
    time::Timestamp,
    usage::StopReason,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// No turn is under way.
    Rest,
    /// Claim the turn; where a worker holds it already, only once that worker is known to be gone.
    Claim { from: Option<WorkerId> },
    /// Deliver what was sent for the next step.
    DeliverForStep,
    /// Make a model call, no earlier than `not_before`.
    CallModel { turn_id: TurnId, step: u32, attempt: u32, not_before: Option<Timestamp> },
    /// A model call was under way when its worker was lost: record that, then go on.
    AbandonModelCall { model_call_id: ModelCallId },
    /// Run these tool calls, in parallel. One that was dispatched is asked for again under its id.
    RunTools { calls: Vec<OpenToolCall> },
    /// End the turn, because a person asked.
    FinishInterrupt,
}

impl Chat {
    /// The next action of `worker`, which is not in the middle of one.
    #[must_use]
    pub fn next_action(&self, worker: WorkerId) -> Action {
        let Some(turn) = &self.turn else { return Action::Rest };
        if turn.worker != Some(worker) {
            return Action::Claim { from: turn.worker };
        }
        if turn.interrupting {
            return Action::FinishInterrupt;
        }
        if let Some(open) = &turn.model_call {
            return Action::AbandonModelCall { model_call_id: open.id };
        }
        if !turn.tool_calls.is_empty() {
            return Action::RunTools { calls: turn.tool_calls.clone() };
        }
        if self.has_for_step() {
            return Action::DeliverForStep;
        }
        Action::CallModel { turn_id: turn.id, step: turn.steps + 1, attempt: turn.attempts + 1, not_before: turn.retry_at }
    }

    pub(super) fn has_for_step(&self) -> bool {
        self.queue.iter().any(|prompt| prompt.delivery == super::Delivery::NextStep)
    }
}

/// Whether a completed model call without tool calls ends its turn.
#[must_use]
pub(super) fn ends_turn(stop: StopReason) -> bool {
    match stop {
        StopReason::EndOfTurn | StopReason::ToolUse | StopReason::MaxTokens | StopReason::Refusal | StopReason::Interrupted => {
            true
        }
        StopReason::Pause => false,
    }
}
