//! How far a model call has come.

use super::event::ModelCallEvent;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCall {
    pub requested: bool,
    pub ended: bool,
    /// The index that the next delta has to have.
    pub deltas: u64,
}

impl ModelCall {
    pub(super) fn fold(&mut self, event: &ModelCallEvent) {
        match event {
            ModelCallEvent::Requested { .. } => self.requested = true,
            ModelCallEvent::TextStreamed { .. }
            | ModelCallEvent::ReasoningStreamed { .. }
            | ModelCallEvent::ToolInputStreamed { .. }
            | ModelCallEvent::OpaqueReceived { .. } => self.deltas += 1,
            ModelCallEvent::UsageReported { .. } => {}
            ModelCallEvent::Finished { .. } | ModelCallEvent::Failed { .. } | ModelCallEvent::Interrupted => self.ended = true,
        }
    }
}
