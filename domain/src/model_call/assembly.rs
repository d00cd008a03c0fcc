//! The fold of a model call's deltas into the message that they mean.

use super::event::ModelCallEvent;
use crate::{
    conversation::{AssistantPart, ToolCall},
    failure::Failure,
    ids::{ModelCallId, ToolCallId},
    usage::{StopReason, Usage},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message while it is streamed. The same deltas give the same message, whoever folds them and whenever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assembly {
    blocks: BTreeMap<u32, AssistantPart>,
    pub usage: Usage,
    pub stop_reason: Option<StopReason>,
    pub failure: Option<Failure>,
}

impl Assembly {
    /// Adds one event of the call `id`. Ids of tool calls are derived from it, so that they are the same at every fold.
    pub fn add(&mut self, id: ModelCallId, event: &ModelCallEvent) {
        match event {
            ModelCallEvent::TextStreamed { block, text, .. } => {
                let empty = || AssistantPart::Text { text: String::new() };
                if let AssistantPart::Text { text: all } = self.blocks.entry(*block).or_insert_with(empty) {
                    all.push_str(text);
                }
            }
            ModelCallEvent::ReasoningStreamed { block, text, signature, .. } => {
                let empty = || AssistantPart::Reasoning { text: String::new(), signature: None };
                let part = self.blocks.entry(*block).or_insert_with(empty);
                if let AssistantPart::Reasoning { text: all, signature: proof } = part {
                    all.push_str(text);
                    if let Some(piece) = signature {
                        proof.get_or_insert_default().push_str(piece);
                    }
                }
            }
            ModelCallEvent::ToolInputStreamed { block, text, call, .. } => {
                let part = self.blocks.entry(*block).or_insert_with(|| {
                    AssistantPart::ToolCall(ToolCall {
                        id: ToolCallId::derive(id.0, &block.to_string()),
                        provider_id: String::new(),
                        name: String::new(),
                        input: String::new(),
                    })
                });
                if let AssistantPart::ToolCall(whole) = part {
                    if let Some(call) = call {
                        whole.provider_id.clone_from(&call.provider_id);
                        whole.name.clone_from(&call.name);
                    }
                    whole.input.push_str(text);
                }
            }
            // What comes of no block (a ping, a citation) means nothing in a message; what makes up a block of its own is
            // kept, the last received form of it.
            ModelCallEvent::OpaqueReceived { block: Some(block), dialect, data, .. } => {
                let whole = AssistantPart::Opaque { dialect: dialect.clone(), data: data.clone() };
                match self.blocks.get_mut(block) {
                    None => drop(self.blocks.insert(*block, whole)),
                    Some(part @ AssistantPart::Opaque { .. }) => *part = whole,
                    Some(_) => {}
                }
            }
            ModelCallEvent::UsageReported { usage } => self.usage.supersede(*usage),
            ModelCallEvent::Finished { stop_reason, .. } => self.stop_reason = Some(*stop_reason),
            ModelCallEvent::Failed { failure, .. } => self.failure = Some(failure.clone()),
            ModelCallEvent::Interrupted => self.stop_reason = Some(StopReason::Interrupted),
            ModelCallEvent::Requested { .. } | ModelCallEvent::OpaqueReceived { block: None, .. } => {}
        }
    }

    /// The parts so far, in order; text and reasoning without content are left out.
    #[must_use]
    pub fn parts(&self) -> Vec<AssistantPart> {
        let said = |part: &&AssistantPart| match part {
            AssistantPart::Text { text } => !text.is_empty(),
            AssistantPart::Reasoning { text, signature } => !text.is_empty() || signature.is_some(),
            AssistantPart::ToolCall(_) | AssistantPart::Opaque { .. } => true,
        };
        self.blocks.values().filter(said).cloned().collect()
    }
}
