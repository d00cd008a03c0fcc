//! What all workspace tools share: the lazy connection, and asking again under the same key when it is lost.

use super::{Answer, Call};
use docket_workspaces::{CallError, Daemon};
use std::time::{Duration, Instant};

/// How long to wait before a lost daemon is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// Runs one request at the daemon of the chat's workspace.
///
/// A connection that is lost in the middle is opened again and the same request made under the same key: the daemon knows the
/// key and answers with the one result. Where the daemon cannot be reached any more, the outcome is unknown.
pub(super) async fn ask<T, F, R>(call: &Call, request: R) -> Result<T, Answer>
where
    R: Fn(Daemon) -> F,
    F: Future<Output = Result<T, CallError>>,
{
    let control = &call.control;
    let attached = control.chats.read(call.chat.0, |chat, _| chat.workspace_id).await;
    let attached = attached.map_err(|error| Answer::error(format!("The chat could not be read: {error}")))?;
    let workspace = attached.ok_or_else(|| {
        Answer::error("This chat has no workspace yet: call create_workspace first (list_templates shows what there is).")
    })?;
    let mut lost = call.resumed.then(Instant::now);
    loop {
        let daemon = match control.daemon(workspace, &call.metadata).await {
            Ok(daemon) => daemon,
            Err(message) => match lost {
                None => return Err(Answer::error(format!("The workspace cannot be reached: {message}"))),
                Some(since) if since.elapsed() < control.settings.reattach_timeout => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                Some(_) => return Err(unknown(&message)),
            },
        };
        match request(daemon).await {
            Ok(answer) => return Ok(answer),
            Err(CallError::Refused { message, .. }) => return Err(Answer::error(message)),
            Err(CallError::OutcomeUnknown) => return Err(unknown("the daemon was killed in the middle of it")),
            Err(CallError::Disconnected { reason }) => {
                tracing::info!(%workspace, tool_call = %call.id, reason, "the workspace was lost in the middle of a tool call");
                lost.get_or_insert_with(Instant::now);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn unknown(reason: &str) -> Answer {
    Answer::unknown(format!(
        "The outcome is unknown: {reason}. It was not run a second time; look at the workspace to see whether it took effect."
    ))
}
