//! The tool calls of one step: in parallel, each dispatched under its own id, each recorded when it ends.

use super::{
    Worker,
    call_model::{Interrupted, interrupted},
};
use crate::{
    error::CommandError,
    tools::{self, Answer, Call},
};
use docket_domain::{
    Metadata,
    chat::{ChatCommand, state::OpenToolCall},
    conversation::{ToolOutput, ToolResult},
    ids::{ChatId, TurnId},
};
use docket_eventlog::Blob;
use futures_util::{StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

/// Tool calls of one step that run at one time.
const PARALLEL: usize = 16;
/// A longer output lies in the blob table.
const INLINE: usize = 16 * 1024;

impl Worker {
    pub(super) async fn run_tools(
        &self,
        chat: ChatId,
        turn: TurnId,
        calls: Vec<OpenToolCall>,
        metadata: &Metadata,
        signal: &mut Interrupted,
    ) -> Result<(), CommandError> {
        let runs = stream::iter(calls).map(|open| self.run_tool(chat, open, metadata)).buffer_unordered(PARALLEL);
        let all = runs.fold(Ok(()), |so_far: Result<(), CommandError>, run| async { so_far.and(run) });
        tokio::select! {
            done = all => done,
            // The turn's end cancels what is open; the state says so at the next step.
            () = interrupted(signal, turn) => Ok(()),
            // What was dispatched is asked for again at the next start.
            () = self.control.shutdown.cancelled() => Ok(()),
        }
    }

    async fn run_tool(&self, chat: ChatId, open: OpenToolCall, metadata: &Metadata) -> Result<(), CommandError> {
        let (control, id) = (&self.control, open.call.id);
        // *Invariant:* recorded before sent.
        let dispatch = ChatCommand::DispatchToolCall { worker: self.id(), tool_call_id: id };
        control.chat(chat, metadata.clone(), dispatch, vec![]).await?;
        let call = Call { control: control.clone(), chat, id, resumed: open.dispatched, metadata: metadata.clone() };
        // A task of its own: a fault in a tool is the tool's answer, not the end of the loop.
        let run = tokio::spawn(async move { tools::run(&call, &open.call.name, &open.call.input).await });
        let answer = match AbortOnDropHandle::new(run).await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => {
                tracing::error!(%chat, tool_call = %id, "a tool panicked");
                Answer::unknown("A fault in the control plane ended the tool; whether it took effect is unknown.")
            }
            Err(_) => return Ok(()),
        };
        let Answer { outcome, text } = answer.bounded();
        let (output, blobs) = if text.len() > INLINE {
            let blob = Blob::new(text.into_bytes());
            (ToolOutput::Blob { sha256: blob.sha256(), bytes: blob.size() as u64 }, vec![blob])
        } else {
            (ToolOutput::Inline { text }, vec![])
        };
        let result = ToolResult { outcome, output };
        let command = ChatCommand::CompleteToolCall { worker: self.id(), tool_call_id: id, result };
        match control.chat(chat, metadata.clone(), command, blobs).await {
            // The turn was interrupted while the tool ended: it is cancelled already.
            Err(error) if error.refusal() == Some("tool_call_not_open") => Ok(()),
            recorded => recorded.map(drop),
        }
    }
}
