//! A log as an installation leaves it behind: chats that stream answers and call tools, all at the same time, and what people
//! and workspaces do beside them. Nineteen of twenty events are tokens.

use super::load::{metadata, requested, tokens};
use anyhow::{Context as _, Result, bail};
use cqrs_es::DomainEvent;
use docket_domain::{
    Context, Decide, Metadata, Timestamp,
    actor::Actor,
    chat::{Chat, ChatCommand, Delivery, command::Prompt},
    conversation::{AssistantPart, PromptPart, ToolCall, ToolOutcome, ToolOutput, ToolResult},
    ids::{BuildId, ChatId, ModelCallId, TemplateId, ToolCallId, UserId, WorkerId, WorkspaceId},
    model_call::ModelCallEvent,
    template::{Provisioner, TemplateEvent},
    usage::{StopReason, Usage},
    user::{Role, UserEvent},
    workspace::{Transition, WorkspaceEvent},
};
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Chats that are under way at the same time.
const CHATS: usize = 200;
/// Tokens of one answer.
const TOKENS: u64 = 160;
/// Tokens of one append.
const APPEND: u64 = 16;

/// Fills a log with at least so many events; gives how many they are.
pub(super) async fn fill(log: &Log, events: u64) -> Result<u64> {
    let mut chats = begin(log, CHATS).await?;
    while log.head().await? < events {
        try_join_all(chats.iter_mut().map(|chat| chat.turn(log))).await?;
    }
    Ok(log.head().await?)
}

/// Lets so many chats go on for as long as `time`; gives how many events that were.
pub(super) async fn drive(log: &Log, chats: usize, time: Duration) -> Result<u64> {
    let mut chats = begin(log, chats).await?;
    let (before, until) = (log.head().await?, Instant::now() + time);
    let lives = chats.iter_mut().map(async |chat| {
        while Instant::now() < until {
            chat.turn(log).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(lives).await?;
    Ok(log.head().await? - before)
}

async fn begin(log: &Log, count: usize) -> Result<Vec<Life>> {
    furnish(log).await?;
    let mut chats = Vec::with_capacity(count);
    for _ in 0..count {
        chats.push(Life::begin(log).await?);
    }
    Ok(chats)
}

/// People, templates and workspaces.
async fn furnish(log: &Log) -> Result<()> {
    for number in 0..20 {
        let created = UserEvent::Created { name: format!("user {number}"), role: Role::Member };
        append(log, "user", Uuid::now_v7(), None, Metadata::system(), &[created]).await?;
        let template = TemplateId(Uuid::now_v7());
        let made = TemplateEvent::Created {
            name: format!("template {number}"),
            description: "For the measurement".to_owned(),
            provisioner: Provisioner::Process,
        };
        append(log, "template", template.0, None, Metadata::system(), &[made]).await?;
        let build_id = BuildId(Uuid::now_v7());
        let mut built = vec![
            WorkspaceEvent::Created {
                name: format!("workspace {number}"),
                owner: UserId::SYSTEM,
                template_id: template,
                chat_id: None,
                parameters: BTreeMap::new(),
            },
            WorkspaceEvent::BuildStarted { build_id, transition: Transition::Start },
        ];
        built.extend((0..20).map(|line| WorkspaceEvent::BuildLogged { build_id, line: format!("step {line} is done") }));
        built.push(WorkspaceEvent::Started { build_id, directory: "/home".to_owned() });
        append(log, "workspace", WorkspaceId(Uuid::now_v7()).0, None, Metadata::system(), &built).await?;
    }
    Ok(())
}

/// A chat that goes on and on.
struct Life {
    id: ChatId,
    worker: WorkerId,
    state: Chat,
}

impl Life {
    async fn begin(log: &Log) -> Result<Self> {
        let mut life = Self { id: ChatId(Uuid::now_v7()), worker: WorkerId(log.worker()), state: Chat::default() };
        let create = ChatCommand::Create {
            owner: UserId::SYSTEM,
            title: Some("A chat of the measurement".to_owned()),
            model: None,
            workspace_id: None,
            labels: [("team".to_owned(), "bench".to_owned())].into(),
            prompt: None,
        };
        life.decide(log, create).await?;
        Ok(life)
    }

    /// A prompt, an answer that calls a tool, the tool, and the answer that ends the turn.
    async fn turn(&mut self, log: &Log) -> Result<()> {
        let worker = self.worker;
        let content =
            vec![PromptPart::Text { text: "What does the quick brown fox do now? Look at the tests first.".to_owned() }];
        let prompt = Prompt { id: Uuid::now_v7(), by: UserId::SYSTEM, content, model: None };
        self.decide(log, ChatCommand::Submit { prompt, delivery: Delivery::TurnEnd }).await?;
        self.decide(log, ChatCommand::ClaimTurn { worker, from: None }).await?;
        let call = ToolCall {
            id: ToolCallId(Uuid::now_v7()),
            provider_id: "call_1".to_owned(),
            name: "execute".to_owned(),
            input: r#"{"command":"cargo test"}"#.to_owned(),
        };
        let tool_call_id = call.id;
        self.answer(log, Some(call)).await?;
        self.decide(log, ChatCommand::DispatchToolCall { worker, tool_call_id }).await?;
        let output = ToolOutput::Inline { text: "test fox ... ok\n".repeat(20) };
        let result = ToolResult { outcome: ToolOutcome::Ok, output };
        self.decide(log, ChatCommand::CompleteToolCall { worker, tool_call_id, result }).await?;
        self.answer(log, None).await?;
        // No decision here needs them, and looking through them would make the filling quadratic.
        self.state.messages.clear();
        Ok(())
    }

    /// A model call, streamed.
    async fn answer(&mut self, log: &Log, call: Option<ToolCall>) -> Result<()> {
        let (worker, model_call_id) = (self.worker, ModelCallId(Uuid::now_v7()));
        let beside = metadata(worker.0, self.id);
        let (scope, id) = (Some(self.id.0), model_call_id.0);
        append(log, "model_call", id, scope, beside.clone(), &[requested(self.id)?]).await?;
        let (model, request_sha256) = ("openai/bench".parse()?, "0".repeat(64));
        self.decide(log, ChatCommand::StartModelCall { worker, model_call_id, model, request_sha256 }).await?;
        let mut text = String::new();
        for from in (0..TOKENS).step_by(usize::try_from(APPEND)?) {
            let events = tokens(from, APPEND);
            for event in &events {
                let ModelCallEvent::TextStreamed { text: token, .. } = event else { bail!("not a token") };
                text.push_str(token);
            }
            append(log, "model_call", id, scope, beside.clone(), &events).await?;
        }
        let usage = Usage { input: Some(2_000), output: Some(TOKENS), ..Usage::default() };
        let stop_reason = if call.is_some() { StopReason::ToolUse } else { StopReason::EndOfTurn };
        let ended = [ModelCallEvent::UsageReported { usage }, ModelCallEvent::Finished { stop_reason, response_sha256: None }];
        append(log, "model_call", id, scope, beside, &ended).await?;
        let parts = std::iter::once(AssistantPart::Text { text }).chain(call.map(AssistantPart::ToolCall)).collect();
        self.decide(log, ChatCommand::CompleteModelCall { worker, model_call_id, parts, usage, stop_reason }).await
    }

    async fn decide(&mut self, log: &Log, command: ChatCommand) -> Result<()> {
        let events = self.state.decide(command, &Context { now: Timestamp(0), id: Uuid::now_v7() })?;
        events.iter().for_each(|event| self.state.apply_event(event));
        let beside = Metadata::new(Actor::User(UserId::SYSTEM), UserId::SYSTEM).correlated(self.id.0);
        append(log, Chat::KIND, self.id.0, Some(self.id.0), beside, &events).await
    }
}

async fn append<E: Serialize + DomainEvent>(
    log: &Log,
    kind: &str,
    id: Uuid,
    scope: Option<Uuid>,
    metadata: Metadata,
    events: &[E],
) -> Result<()> {
    let encode = |event: &E| {
        let (event_type, event_version) = (event.event_type().into(), event.event_version().into());
        Ok(NewEvent { event_type, event_version, payload: serde_json::to_vec(event)?.into() })
    };
    let append = Append {
        stream: StreamId::new(kind, id.to_string()),
        scope,
        expected: Expected::Any,
        events: events.iter().map(encode).collect::<Result<_>>()?,
        blobs: vec![],
        metadata,
    };
    log.append(append).await.context("filling the log")?;
    Ok(())
}
