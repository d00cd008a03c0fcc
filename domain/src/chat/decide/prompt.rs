//! Prompts: into a turn at once, or into the queue.

use super::{Decision, fresh_turn, queue};
use crate::{
    aggregate::Context,
    chat::{
        command::Prompt,
        event::{ChatEvent, Delivery},
        limits::{MAX_PROMPT_BYTES, MAX_PROMPT_PARTS, MAX_QUEUE},
        refusal::ChatRefusal,
        state::{Chat, QueuedPrompt},
    },
    conversation::{Message, PromptPart},
};

/// How far back a repeated prompt is looked for.
const RECENT: usize = 100;

impl Chat {
    pub(super) fn submit(&self, prompt: Prompt, delivery: Delivery, context: &Context) -> Decision {
        if self.archived {
            return Err(ChatRefusal::ChatArchived);
        }
        check(&prompt.content)?;
        if self.took_in(&prompt) {
            return Ok(vec![]);
        }
        if self.turn.is_none() && self.queue.is_empty() {
            return Ok(begin_turn(prompt, context));
        }
        if self.queue.len() >= MAX_QUEUE {
            return Err(ChatRefusal::QueueFull { max: MAX_QUEUE });
        }
        let queued =
            QueuedPrompt { id: prompt.queued_id(), by: prompt.by, content: prompt.content, delivery, model: prompt.model };
        let mut events = vec![ChatEvent::PromptQueued {
            queued_id: queued.id,
            by: queued.by,
            content: queued.content.clone(),
            delivery,
            model: queued.model.clone(),
        }];
        match &self.turn {
            // The last turn failed with prompts still waiting: they were there first.
            None => events.extend(self.deliver_head(context)),
            Some(_) if delivery == Delivery::Interrupt => {
                events.push(ChatEvent::QueuedPromptPromoted { queued_id: queued.id });
                events.extend(self.interruption(queued.by, Some(&queued), context));
            }
            Some(_) => {}
        }
        Ok(events)
    }

    /// Whether this very prompt has been taken in before. The log knows a repeated command at any distance; this finds one that
    /// comes under another name, and must not cost more in a longer chat.
    fn took_in(&self, prompt: &Prompt) -> bool {
        let delivered = |message: &Message| matches!(message, Message::User { id, .. } if *id == prompt.message_id());
        self.queue.iter().any(|queued| queued.id == prompt.queued_id())
            || self.messages.iter().rev().take(RECENT).any(delivered)
    }

    pub(super) fn deliver_for_step(&self, worker: crate::ids::WorkerId) -> Decision {
        let turn = self.turn_of(worker)?;
        if turn.model_call.is_some() || !turn.tool_calls.is_empty() {
            return Err(ChatRefusal::OutOfOrder { reason: "the step is not over" });
        }
        let waiting = self.queue.iter().filter(|prompt| prompt.delivery == Delivery::NextStep);
        Ok(waiting.map(queue::delivered).collect())
    }
}

pub(super) fn begin_turn(prompt: Prompt, context: &Context) -> Vec<ChatEvent> {
    vec![
        ChatEvent::PromptSubmitted { message_id: prompt.message_id(), by: prompt.by, content: prompt.content },
        ChatEvent::TurnRequested { turn_id: fresh_turn(context), by: prompt.by, model: prompt.model },
    ]
}

pub(super) fn check(content: &[PromptPart]) -> Result<(), ChatRefusal> {
    let texts = || content.iter().map(|PromptPart::Text { text }| text);
    let bytes = texts().map(String::len).sum();
    if content.len() > MAX_PROMPT_PARTS {
        return Err(ChatRefusal::PromptTooManyParts { parts: content.len(), max: MAX_PROMPT_PARTS });
    }
    if bytes > MAX_PROMPT_BYTES {
        return Err(ChatRefusal::PromptTooLarge { bytes, max: MAX_PROMPT_BYTES });
    }
    if texts().all(|text| text.trim().is_empty()) {
        return Err(ChatRefusal::PromptEmpty);
    }
    Ok(())
}
