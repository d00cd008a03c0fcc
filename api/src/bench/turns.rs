//! Turns of a chat, as people and the agent loop make them.

use super::load::metadata;
use anyhow::{Context as _, Result};
use docket_domain::{
    Context, Decide, Timestamp,
    chat::{Chat, ChatCommand, ChatEvent, command::Prompt, event::Delivery},
    conversation::{AssistantPart, PromptPart},
    ids::{ChatId, ModelCallId, UserId, WorkerId},
    usage::{StopReason, Usage},
};
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Events of one append while a stream is filled.
const APPEND: usize = 5000;

/// Makes the commands of one turn after the other.
#[derive(Debug)]
pub(super) struct Turns {
    worker: WorkerId,
}

impl Turns {
    pub(super) fn new(worker: Uuid) -> Self {
        Self { worker: WorkerId(worker) }
    }

    /// Prompt, claim, model call, answer.
    pub(super) fn next(&self) -> Result<[ChatCommand; 4]> {
        let (worker, model_call_id) = (self.worker, ModelCallId(Uuid::now_v7()));
        let prompt = Prompt {
            id: Uuid::now_v7(),
            by: UserId::SYSTEM,
            content: vec![PromptPart::Text { text: "What does the quick brown fox do now?".to_owned() }],
            model: None,
        };
        Ok([
            ChatCommand::Submit { prompt, delivery: Delivery::TurnEnd },
            ChatCommand::ClaimTurn { worker, from: None },
            ChatCommand::StartModelCall {
                worker,
                model_call_id,
                model: "openai/bench".parse()?,
                request_sha256: "0".repeat(64),
            },
            ChatCommand::CompleteModelCall {
                worker,
                model_call_id,
                parts: vec![AssistantPart::Text { text: "It jumps over the lazy dog, as it always did.".to_owned() }],
                usage: Usage { input: Some(100), output: Some(12), ..Usage::default() },
                stop_reason: StopReason::EndOfTurn,
            },
        ])
    }

    /// A chat with at least so many events in the log, made of whole turns; and how many they are.
    pub(super) async fn fill(&self, log: &Log, chat: ChatId, events: u64) -> Result<u64> {
        let (mut state, mut waiting, mut written) = (Chat::default(), Vec::new(), 0);
        let create = ChatCommand::Create {
            owner: UserId::SYSTEM,
            title: None,
            model: None,
            workspace_id: None,
            labels: BTreeMap::new(),
            prompt: None,
        };
        decide(&mut state, create, &mut waiting)?;
        loop {
            let full = written + waiting.len() as u64 >= events;
            if full || waiting.len() >= APPEND {
                written += append(log, chat, std::mem::take(&mut waiting)).await?;
            }
            if full {
                return Ok(written);
            }
            for command in self.next()? {
                decide(&mut state, command, &mut waiting)?;
            }
            // No decision here needs them, and looking through them would make the filling quadratic.
            state.messages.clear();
        }
    }
}

fn decide(state: &mut Chat, command: ChatCommand, into: &mut Vec<ChatEvent>) -> Result<()> {
    let events = state.decide(command, &Context { now: Timestamp(0), id: Uuid::now_v7() })?;
    events.iter().for_each(|event| state.apply_event(event));
    into.extend(events);
    Ok(())
}

async fn append(log: &Log, chat: ChatId, events: Vec<ChatEvent>) -> Result<u64> {
    use cqrs_es::DomainEvent;
    let encode = |event: &ChatEvent| {
        Ok(NewEvent {
            event_type: event.event_type().into(),
            event_version: event.event_version().into(),
            payload: serde_json::to_vec(event)?.into(),
        })
    };
    let count = events.len() as u64;
    let append = Append {
        stream: StreamId::new(Chat::KIND, chat.to_string()),
        scope: Some(chat.0),
        expected: Expected::Any,
        events: events.iter().map(encode).collect::<Result<_>>()?,
        blobs: vec![],
        metadata: metadata(log.worker(), chat),
    };
    log.append(append).await.context("filling a stream")?;
    Ok(count)
}
