//! The queue: edit, reorder, remove, promote, deliver.

use super::{Decision, fresh_turn, prompt};
use crate::{
    aggregate::Context,
    chat::{
        event::ChatEvent,
        refusal::ChatRefusal,
        state::{Chat, QueuedPrompt},
    },
    conversation::PromptPart,
    ids::{MessageId, QueuedId, UserId},
};
use std::collections::BTreeSet;

impl Chat {
    fn queued(&self, id: QueuedId) -> Result<&QueuedPrompt, ChatRefusal> {
        self.queue.iter().find(|prompt| prompt.id == id).ok_or(ChatRefusal::QueuedNotFound)
    }

    pub(super) fn edit_queued(&self, queued_id: QueuedId, content: Vec<PromptPart>) -> Decision {
        prompt::check(&content)?;
        Ok(if self.queued(queued_id)?.content == content {
            vec![]
        } else {
            vec![ChatEvent::QueuedPromptEdited { queued_id, content }]
        })
    }

    pub(super) fn reorder_queue(&self, order: Vec<QueuedId>) -> Decision {
        let now: Vec<_> = self.queue.iter().map(|prompt| prompt.id).collect();
        let distinct: BTreeSet<_> = order.iter().collect();
        if distinct.len() != order.len() || distinct != now.iter().collect() {
            return Err(ChatRefusal::OrderIncomplete);
        }
        Ok(if now == order { vec![] } else { vec![ChatEvent::QueuedPromptsReordered { order }] })
    }

    pub(super) fn remove_queued(&self, queued_id: QueuedId) -> Decision {
        self.queued(queued_id)?;
        Ok(vec![ChatEvent::QueuedPromptRemoved { queued_id }])
    }

    /// "Send now": to the head, and the turn under way is interrupted.
    pub(super) fn promote_queued(&self, queued_id: QueuedId, by: UserId, context: &Context) -> Decision {
        let prompt = self.queued(queued_id)?;
        let mut events = vec![ChatEvent::QueuedPromptPromoted { queued_id }];
        match &self.turn {
            Some(_) => events.extend(self.interruption(by, Some(prompt), context)),
            None => events.extend(deliver_as_turn(prompt, context)),
        }
        Ok(events)
    }
}

pub(super) fn delivered(prompt: &QueuedPrompt) -> ChatEvent {
    ChatEvent::QueuedPromptDelivered {
        queued_id: prompt.id,
        message_id: MessageId(prompt.id.0),
        by: prompt.by,
        content: prompt.content.clone(),
    }
}

pub(super) fn deliver_as_turn(prompt: &QueuedPrompt, context: &Context) -> Vec<ChatEvent> {
    let turn_id = fresh_turn(context);
    vec![delivered(prompt), ChatEvent::TurnRequested { turn_id, by: prompt.by, model: prompt.model.clone() }]
}
