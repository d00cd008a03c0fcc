//! Model calls: start, complete, fail.

use super::Decision;
use crate::{
    aggregate::Context,
    chat::{
        action::ends_turn,
        event::ChatEvent,
        refusal::ChatRefusal,
        retry,
        state::{Chat, OpenModelCall, Turn},
    },
    conversation::{AssistantPart, ToolCall},
    failure::Failure,
    ids::{ModelCallId, WorkerId},
    model_name::ModelName,
    usage::{StopReason, Usage},
};

impl Chat {
    pub(super) fn start_model_call(
        &self,
        worker: WorkerId,
        model_call_id: ModelCallId,
        model: ModelName,
        request_sha256: String,
    ) -> Decision {
        let turn = self.turn_of(worker)?;
        if turn.model_call.as_ref().is_some_and(|open| open.id == model_call_id) {
            return Ok(vec![]);
        }
        if turn.interrupting || turn.model_call.is_some() || !turn.tool_calls.is_empty() {
            return Err(ChatRefusal::OutOfOrder { reason: "a model call begins when nothing else is open" });
        }
        Ok(vec![ChatEvent::ModelCallStarted {
            model_call_id,
            turn_id: turn.id,
            step: turn.steps + 1,
            attempt: turn.attempts + 1,
            model,
            request_sha256,
        }])
    }

    fn open_call(&self, worker: WorkerId, id: ModelCallId) -> Result<(&Turn, &OpenModelCall), ChatRefusal> {
        let turn = self.turn_of(worker)?;
        let open = turn.model_call.as_ref().filter(|open| open.id == id).ok_or(ChatRefusal::ModelCallNotOpen)?;
        Ok((turn, open))
    }

    pub(super) fn complete_model_call(
        &self,
        worker: WorkerId,
        model_call_id: ModelCallId,
        parts: Vec<AssistantPart>,
        usage: Usage,
        stop_reason: StopReason,
        context: &Context,
    ) -> Decision {
        let (turn, open) = self.open_call(worker, model_call_id)?;
        let model = open.model.clone();
        let calls: Vec<ToolCall> = parts.iter().filter_map(tool_call).cloned().collect();
        let mut events = vec![ChatEvent::ModelCallCompleted { model_call_id, model, parts, usage, stop_reason }];
        let cut = (stop_reason == StopReason::MaxTokens).then(|| calls.last().map(|call| call.id)).flatten();
        let last = calls.is_empty();
        for call in calls {
            let id = call.id;
            events.push(ChatEvent::ToolCallRequested { model_call_id, call });
            if cut == Some(id) {
                let reason = "Not executed: the answer was cut at the output limit, so its input may be incomplete.";
                events.push(ChatEvent::ToolCallCancelled { tool_call_id: id, reason: reason.to_owned() });
            }
        }
        // What was sent for the next step is still to be answered in this turn. An interrupt that came in between is
        // finished by the worker.
        if last && ends_turn(stop_reason) && !self.has_for_step() && !turn.interrupting {
            events.push(ChatEvent::TurnCompleted { turn_id: turn.id });
            events.extend(self.deliver_head(context));
        }
        Ok(events)
    }

    pub(super) fn fail_model_call(
        &self,
        worker: WorkerId,
        model_call_id: ModelCallId,
        failure: Failure,
        partial: Vec<AssistantPart>,
        usage: Usage,
        context: &Context,
    ) -> Decision {
        let (turn, _) = self.open_call(worker, model_call_id)?;
        let attempt = turn.attempts + 1;
        let mut events = vec![ChatEvent::ModelCallFailed { model_call_id, failure: failure.clone(), partial, usage }];
        if turn.interrupting {
            return Ok(events);
        }
        events.push(match retry::next_attempt(&failure, attempt, context) {
            Some(at) => ChatEvent::ModelCallRetryScheduled { attempt: attempt + 1, at },
            None => ChatEvent::TurnFailed { turn_id: turn.id, failure },
        });
        Ok(events)
    }
}

fn tool_call(part: &AssistantPart) -> Option<&ToolCall> {
    match part {
        AssistantPart::ToolCall(call) => Some(call),
        _ => None,
    }
}
