//! What an event says to an auditor: a short sentence without anybody's words in it, and how it went.

use crate::error::ApplyError;
use docket_domain::{
    chat::ChatEvent, conversation::PromptPart, conversation::ToolOutcome, model_call::ModelCallEvent, policy::PolicyEvent,
    template::TemplateEvent, user::UserEvent, workspace::WorkspaceEvent,
};
use docket_eventlog::Recorded;

/// The outcome and the summary of an act.
pub(super) type Act = (&'static str, String);

const OK: &str = "ok";
const FAILED: &str = "failed";
const CANCELLED: &str = "cancelled";
const INTERRUPTED: &str = "interrupted";

/// What happened.
pub(super) fn act(event: &Recorded) -> Result<Act, ApplyError> {
    Ok(match &*event.stream.aggregate_type {
        "chat" => chat(&event.decode()?),
        "model_call" => model_call(&event.decode()?),
        "workspace" => workspace(&event.decode()?),
        "template" => (OK, template(&event.decode()?)),
        "user" => (OK, user(&event.decode()?)),
        "policy" => (OK, policy(&event.decode()?)),
        other => return Err(ApplyError::Unfit(format!("no acts are known of a {other}"))),
    })
}

fn chat(event: &ChatEvent) -> Act {
    let text = match event {
        ChatEvent::Created { owner, .. } => format!("chat created for {owner}"),
        ChatEvent::PromptSubmitted { content, .. } => format!("prompt of {} sent", size(content)),
        ChatEvent::PromptQueued { content, .. } => format!("prompt of {} queued", size(content)),
        ChatEvent::QueuedPromptEdited { content, .. } => format!("queued prompt edited to {}", size(content)),
        ChatEvent::QueuedPromptsReordered { order } => format!("queue of {} reordered", order.len()),
        ChatEvent::QueuedPromptRemoved { .. } => "queued prompt removed".to_owned(),
        ChatEvent::QueuedPromptPromoted { .. } => "queued prompt promoted".to_owned(),
        ChatEvent::QueuedPromptDelivered { .. } => "queued prompt delivered".to_owned(),
        ChatEvent::TurnRequested { by, .. } => format!("turn requested by {by}"),
        ChatEvent::TurnClaimed { worker, .. } => format!("turn claimed by worker {worker}"),
        ChatEvent::InterruptRequested { by, .. } => format!("interrupt requested by {by}"),
        ChatEvent::TurnCompleted { .. } => "turn completed".to_owned(),
        ChatEvent::TurnInterrupted { .. } => return (INTERRUPTED, "turn interrupted".to_owned()),
        ChatEvent::TurnFailed { failure, .. } => return (FAILED, format!("turn failed: {}", failure.class)),
        ChatEvent::ModelCallStarted { model, step, attempt, .. } => {
            format!("call of {model} started, step {step}, attempt {attempt}")
        }
        ChatEvent::ModelCallCompleted { model, stop_reason, usage, .. } => {
            format!("call of {model} completed ({stop_reason}, {} tokens of output)", usage.output.unwrap_or(0))
        }
        ChatEvent::ModelCallFailed { failure, .. } => return (FAILED, format!("model call failed: {}", failure.class)),
        ChatEvent::ModelCallRetryScheduled { attempt, .. } => format!("attempt {attempt} scheduled"),
        ChatEvent::ToolCallRequested { call, .. } => format!("tool {} requested", name(&call.name)),
        ChatEvent::ToolCallDispatched { tool_call_id } => format!("tool call {tool_call_id} dispatched"),
        ChatEvent::ToolCallCompleted { tool_call_id, result } => {
            let outcome = match result.outcome {
                ToolOutcome::Ok => OK,
                ToolOutcome::Error => FAILED,
                ToolOutcome::Unknown => "unknown",
                ToolOutcome::Cancelled => CANCELLED,
            };
            return (outcome, format!("tool call {tool_call_id} completed: {}", result.outcome));
        }
        ChatEvent::ToolCallCancelled { tool_call_id, .. } => return (CANCELLED, format!("tool call {tool_call_id} cancelled")),
        ChatEvent::WorkspaceAttached { workspace_id } => format!("workspace {workspace_id} attached"),
        ChatEvent::WorkspaceDetached { workspace_id } => format!("workspace {workspace_id} detached"),
        ChatEvent::Titled { .. } => "chat titled".to_owned(),
        ChatEvent::Labelled { labels } => format!("chat labelled, {} labels", labels.len()),
        ChatEvent::Pinned => "chat pinned".to_owned(),
        ChatEvent::Unpinned => "chat unpinned".to_owned(),
        ChatEvent::Archived => "chat archived".to_owned(),
        ChatEvent::Unarchived => "chat unarchived".to_owned(),
    };
    (OK, text)
}

fn model_call(event: &ModelCallEvent) -> Act {
    match event {
        ModelCallEvent::Requested { model, body_sha256, body_bytes, .. } => {
            (OK, format!("request of {body_bytes} bytes to {model}, SHA-256 {}", name(body_sha256)))
        }
        ModelCallEvent::Finished { stop_reason, .. } => (OK, format!("answer received: {stop_reason}")),
        ModelCallEvent::Failed { failure, .. } => (FAILED, format!("no whole answer: {}", failure.class)),
        ModelCallEvent::Interrupted => (INTERRUPTED, "answer broken off".to_owned()),
        ModelCallEvent::TextStreamed { .. }
        | ModelCallEvent::ReasoningStreamed { .. }
        | ModelCallEvent::ToolInputStreamed { .. }
        | ModelCallEvent::OpaqueReceived { .. } => (OK, "delta received".to_owned()),
        ModelCallEvent::UsageReported { .. } => (OK, "usage reported".to_owned()),
    }
}

fn workspace(event: &WorkspaceEvent) -> Act {
    let text = match event {
        WorkspaceEvent::Created { name: called, owner, template_id, .. } => {
            format!("workspace {} created for {owner} from template {template_id}", name(called))
        }
        WorkspaceEvent::BuildStarted { transition, .. } => format!("build started: {transition}"),
        WorkspaceEvent::BuildLogged { .. } => "build log line".to_owned(),
        WorkspaceEvent::BuildFailed { .. } => return (FAILED, "build failed".to_owned()),
        WorkspaceEvent::EnrolmentIssued { .. } => "enrolment token issued".to_owned(),
        WorkspaceEvent::DaemonEnrolled { public_key } => format!("daemon enrolled with key {}", name(public_key)),
        WorkspaceEvent::Started { .. } => "workspace started".to_owned(),
        WorkspaceEvent::Stopped { .. } => "workspace stopped".to_owned(),
        WorkspaceEvent::Deleted { .. } => "workspace deleted".to_owned(),
        WorkspaceEvent::DaemonConnected { path } => format!("daemon connected: {path}"),
        WorkspaceEvent::DaemonDisconnected { .. } => "daemon disconnected".to_owned(),
    };
    (OK, text)
}

fn template(event: &TemplateEvent) -> String {
    match event {
        TemplateEvent::Created { name: called, provisioner, .. } => {
            format!("template {} created ({provisioner})", name(called))
        }
        TemplateEvent::Described { .. } => "template described".to_owned(),
        TemplateEvent::Archived => "template archived".to_owned(),
        TemplateEvent::Unarchived => "template unarchived".to_owned(),
    }
}

fn user(event: &UserEvent) -> String {
    match event {
        UserEvent::Created { name: called, role } => format!("user {} created as {role}", name(called)),
        UserEvent::RoleChanged { role } => format!("role changed to {role}"),
        UserEvent::TokenIssued { token_id, .. } => format!("token {token_id} issued"),
        UserEvent::TokenRevoked { token_id } => format!("token {token_id} revoked"),
    }
}

fn policy(event: &PolicyEvent) -> String {
    match event {
        PolicyEvent::SystemPromptSet { text } => format!("system prompt set, {} bytes", text.len()),
        PolicyEvent::DefaultModelSet { model: Some(model) } => format!("default model set to {model}"),
        PolicyEvent::DefaultModelSet { model: None } => "default model unset".to_owned(),
        PolicyEvent::StepLimitSet { steps } => format!("step limit set to {steps}"),
        PolicyEvent::Withdrawn { subject, name: called } => format!("{subject} {} withdrawn", name(called)),
        PolicyEvent::Restored { subject, name: called } => format!("{subject} {} restored", name(called)),
    }
}

fn size(content: &[PromptPart]) -> String {
    let characters: usize = content.iter().map(|PromptPart::Text { text }| text.chars().count()).sum();
    format!("{characters} characters")
}

/// A name, short enough for a summary whoever chose it.
fn name(text: &str) -> String {
    text.chars().take(100).collect()
}
