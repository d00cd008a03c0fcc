//! The fold of an open model call's deltas into the message that is being streamed.
//!
//! It means the same as [`docket_domain::model_call::Assembly`], but it goes on from the document alone, as a reader does
//! that was given a snapshot in the middle of an answer: each part names the block that its deltas continue.

use super::{
    message::{MessageDocument, MessageState, PartDocument, ToolCallDocument, ToolCallState},
    view::ChatView,
};
use docket_domain::{
    ids::{ModelCallId, ToolCallId},
    model_call::ModelCallEvent,
    usage::StopReason,
};

impl ChatView {
    /// Applies an event of the model call's stream. The index of the message it changed, if any; an event that the message
    /// holds already changes nothing.
    pub fn apply_delta(&mut self, position: u64, recorded_at: i64, id: ModelCallId, event: &ModelCallEvent) -> Option<usize> {
        let index = self.messages.iter().rposition(|message| message.id == id.0)?;
        let message = &mut self.messages[index];
        if message.state != MessageState::Streaming || position <= message.position {
            return None;
        }
        message.position = position;
        message.updated_at = recorded_at;
        message.add(id, event);
        Some(index)
    }
}

impl MessageDocument {
    fn add(&mut self, id: ModelCallId, event: &ModelCallEvent) {
        match event {
            // A block without content is no part, so it begins with its first content.
            ModelCallEvent::TextStreamed { text, .. } if text.is_empty() => {}
            ModelCallEvent::TextStreamed { block, text, .. } => {
                let empty = || PartDocument::Text { text: String::new(), block: Some(*block) };
                if let PartDocument::Text { text: all, .. } = self.part(*block, empty) {
                    all.push_str(text);
                }
            }
            ModelCallEvent::ReasoningStreamed { text, signature: None, .. } if text.is_empty() => {}
            ModelCallEvent::ReasoningStreamed { block, text, signature, .. } => {
                let empty = || PartDocument::Reasoning { text: String::new(), signature: None, block: Some(*block) };
                if let PartDocument::Reasoning { text: all, signature: proof, .. } = self.part(*block, empty) {
                    all.push_str(text);
                    if let Some(piece) = signature {
                        proof.get_or_insert_default().push_str(piece);
                    }
                }
            }
            ModelCallEvent::ToolInputStreamed { block, text, call, .. } => {
                let empty = || PartDocument::ToolCall(streamed(id, *block));
                if let PartDocument::ToolCall(whole) = self.part(*block, empty) {
                    if let Some(call) = call {
                        whole.name.clone_from(&call.name);
                    }
                    whole.input.push_str(text);
                }
            }
            ModelCallEvent::OpaqueReceived { block: Some(block), dialect, data, .. } => {
                let whole = PartDocument::Opaque { dialect: dialect.clone(), data: data.clone(), block: Some(*block) };
                let part = self.part(*block, || whole.clone());
                if matches!(part, PartDocument::Opaque { .. }) {
                    *part = whole;
                }
            }
            ModelCallEvent::UsageReported { usage } => self.usage.get_or_insert_default().supersede(*usage),
            ModelCallEvent::Finished { stop_reason, .. } => self.stop_reason = Some(*stop_reason),
            ModelCallEvent::Failed { failure, .. } => self.failure = Some(failure.clone()),
            ModelCallEvent::Interrupted => self.stop_reason = Some(StopReason::Interrupted),
            ModelCallEvent::Requested { .. } | ModelCallEvent::OpaqueReceived { block: None, .. } => {}
        }
    }

    /// The part of a block; one that is new goes where its block belongs.
    fn part(&mut self, block: u32, new: impl FnOnce() -> PartDocument) -> &mut PartDocument {
        let index = match self.parts.iter().rposition(|part| part.block().is_none_or(|before| before <= block)) {
            Some(index) if self.parts[index].block() == Some(block) => index,
            before => {
                let index = before.map_or(0, |before| before + 1);
                self.parts.insert(index, new());
                index
            }
        };
        &mut self.parts[index]
    }
}

fn streamed(id: ModelCallId, block: u32) -> ToolCallDocument {
    ToolCallDocument {
        // As the assembly derives it.
        id: ToolCallId::derive(id.0, &block.to_string()),
        name: String::new(),
        input: String::new(),
        state: ToolCallState::Streaming,
        outcome: None,
        output: None,
        requested_at: None,
        dispatched_at: None,
        completed_at: None,
        block: Some(block),
    }
}
