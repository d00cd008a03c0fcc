//! Tool calls: dispatch, complete.

use super::Decision;
use crate::{
    chat::{
        event::ChatEvent,
        refusal::ChatRefusal,
        state::{Chat, OpenToolCall},
    },
    conversation::ToolResult,
    ids::{ToolCallId, WorkerId},
};

impl Chat {
    fn open_tool_call(&self, worker: WorkerId, id: ToolCallId) -> Result<&OpenToolCall, ChatRefusal> {
        let open = &self.turn_of(worker)?.tool_calls;
        open.iter().find(|open| open.call.id == id).ok_or(ChatRefusal::ToolCallNotOpen)
    }

    pub(super) fn dispatch_tool_call(&self, worker: WorkerId, tool_call_id: ToolCallId) -> Decision {
        let open = self.open_tool_call(worker, tool_call_id)?;
        Ok(if open.dispatched { vec![] } else { vec![ChatEvent::ToolCallDispatched { tool_call_id }] })
    }

    pub(super) fn complete_tool_call(&self, worker: WorkerId, tool_call_id: ToolCallId, result: ToolResult) -> Decision {
        self.open_tool_call(worker, tool_call_id)?;
        Ok(vec![ChatEvent::ToolCallCompleted { tool_call_id, result }])
    }
}
