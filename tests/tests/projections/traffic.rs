//! Random life of a chat: prompts, queue, turns, streamed answers, tools, failures, interrupts.

use crate::history::World;
use docket_domain::{
    Decide, Metadata,
    actor::Actor,
    chat::{
        Action, Chat, ChatCommand, ChatEvent, Delivery,
        command::{Partial, Prompt},
    },
    conversation::{PromptPart, ToolOutcome, ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    ids::{ChatId, ModelCallId, UserId},
    model_call::{Assembly, ModelCall, ModelCallCommand, ModelCallEvent, StreamedCall},
    usage::{StopReason, Usage},
};
use docket_eventlog::{Filter, Log, Recorded};
use docket_projections::chat::ChatView;
use rand::Rng as _;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Clone)]
pub struct ChatLife {
    pub id: ChatId,
    pub state: Chat,
    call: Option<OpenCall>,
}

#[derive(Clone)]
struct OpenCall {
    id: ModelCallId,
    state: ModelCall,
    assembly: Assembly,
    blocks: u32,
}

/// An event of a chat's scope.
pub enum Streamed {
    Chat(Arc<Recorded>, ChatEvent),
    Call(Arc<Recorded>, ModelCallId, ModelCallEvent),
}

impl Streamed {
    pub fn position(&self) -> u64 {
        match self {
            Self::Chat(recorded, _) | Self::Call(recorded, ..) => recorded.position,
        }
    }

    pub fn fold_into(&self, view: &mut ChatView) {
        match self {
            Self::Chat(recorded, event) => drop(view.apply(recorded.position, recorded.recorded_at, event)),
            Self::Call(recorded, id, event) => drop(view.apply_delta(recorded.position, recorded.recorded_at, *id, event)),
        }
    }
}

/// The events of a chat and its model calls after a position, in the order of the log.
pub async fn events_of(log: &Log, chat: ChatId, mut after: u64) -> Vec<Streamed> {
    let head = log.head().await.unwrap();
    let mut events = Vec::new();
    while after < head {
        let page = log.read_all(after, &Filter::scope(chat.0), 1_000).await.unwrap();
        after = page.through;
        events.extend(page.events.into_iter().map(|event| match &*event.stream.aggregate_type {
            "chat" => Streamed::Chat(event.clone(), event.decode().unwrap()),
            _ => {
                let id = ModelCallId(Uuid::parse_str(&event.stream.aggregate_id).unwrap());
                Streamed::Call(event.clone(), id, event.decode().unwrap())
            }
        }));
    }
    events
}

fn text(words: usize) -> Vec<PromptPart> {
    vec![PromptPart::Text { text: format!("Prompt {}", "word ".repeat(words)) }]
}

impl World {
    pub async fn chat_step(&mut self) {
        if self.users.is_empty() {
            return;
        }
        if self.chats.len() < 5 || self.rng.random_bool(0.002) {
            return self.create_chat().await;
        }
        let index = self.rng.random_range(0..self.chats.len());
        let mut chat = self.chats[index].clone();
        if self.rng.random_bool(0.25) {
            let (command, by) = self.persons_command(&chat.state);
            self.chat_decide(&mut chat, Metadata::new(Actor::User(by), by), command).await;
        } else {
            self.work(&mut chat).await;
        }
        self.chats[index] = chat;
    }

    async fn create_chat(&mut self) {
        let mut chat = ChatLife { id: ChatId(self.id()), state: Chat::default(), call: None };
        let by = self.user();
        let label = ["red", "green"][self.rng.random_range(0..2)];
        let prompt = Prompt { id: self.id(), by, content: text(3), model: None };
        let command = ChatCommand::Create {
            owner: by,
            title: self.rng.random_bool(0.5).then(|| format!("Chat {}", self.events)),
            model: Some("test/model".parse().unwrap()),
            workspace_id: None,
            labels: [("colour".to_owned(), label.to_owned())].into(),
            prompt: self.rng.random_bool(0.8).then_some(prompt),
        };
        self.chat_decide(&mut chat, Metadata::new(Actor::User(by), by), command).await;
        self.chats.push(chat);
    }

    fn persons_command(&mut self, chat: &Chat) -> (ChatCommand, UserId) {
        let by = self.user();
        let queued = (!chat.queue.is_empty()).then(|| chat.queue[self.rng.random_range(0..chat.queue.len())].id);
        let delivery = [Delivery::TurnEnd, Delivery::NextStep, Delivery::Interrupt][self.rng.random_range(0..3)];
        let command = match (self.rng.random_range(0..20), queued) {
            (0, Some(queued_id)) => ChatCommand::EditQueued { queued_id, content: text(2) },
            (1, Some(_)) => {
                let order = chat.queue.iter().rev().map(|prompt| prompt.id).collect();
                ChatCommand::ReorderQueue { order }
            }
            (2, Some(queued_id)) => ChatCommand::RemoveQueued { queued_id },
            (3, Some(queued_id)) => ChatCommand::PromoteQueued { queued_id, by },
            (4, _) => ChatCommand::SetTitle { title: format!("Title {}", self.events) },
            (5, _) => ChatCommand::SetPinned { pinned: !chat.pinned },
            (6, _) => ChatCommand::SetArchived { archived: !chat.archived },
            (7, _) => {
                let labels = [("colour".to_owned(), "blue".to_owned()), ("n".to_owned(), (self.events % 3).to_string())];
                ChatCommand::SetLabels { labels: labels.into() }
            }
            (8, _) => ChatCommand::Interrupt { by },
            (9, _) if !self.workspaces.is_empty() => ChatCommand::AttachWorkspace { workspace_id: self.workspaces[0].0 },
            (10, _) => ChatCommand::DetachWorkspace,
            _ => ChatCommand::Submit { prompt: Prompt { id: self.id(), by, content: text(5), model: None }, delivery },
        };
        (command, by)
    }

    /// What the worker does next with the chat.
    async fn work(&mut self, chat: &mut ChatLife) {
        if chat.call.is_some() {
            return self.stream(chat).await;
        }
        let worker = self.worker;
        let Some(command) = (match chat.state.next_action(worker) {
            Action::Rest => None,
            Action::Claim { from } => Some(ChatCommand::ClaimTurn { worker, from }),
            Action::DeliverForStep => Some(ChatCommand::DeliverForStep { worker }),
            Action::FinishInterrupt => Some(ChatCommand::FinishInterrupt { worker, partial: None }),
            Action::AbandonModelCall { model_call_id } => Some(ChatCommand::FailModelCall {
                worker,
                model_call_id,
                failure: Failure::new(FailureClass::WorkerLost, "gone"),
                partial: vec![],
                usage: Usage::default(),
            }),
            Action::CallModel { .. } => {
                let model_call_id = ModelCallId(self.id());
                chat.call =
                    Some(OpenCall { id: model_call_id, state: ModelCall::default(), assembly: Assembly::default(), blocks: 0 });
                let model = ["test/model", "test/other"][self.rng.random_range(0..2)].parse().unwrap();
                Some(ChatCommand::StartModelCall { worker, model_call_id, model, request_sha256: "00".repeat(32) })
            }
            Action::RunTools { calls } => {
                let open = &calls[self.rng.random_range(0..calls.len())];
                let tool_call_id = open.call.id;
                let outcome = [ToolOutcome::Ok, ToolOutcome::Error, ToolOutcome::Unknown][self.rng.random_range(0..3)];
                let output = if self.rng.random_bool(0.8) {
                    ToolOutput::Inline { text: "output\u{0} of the tool".to_owned() }
                } else {
                    ToolOutput::Blob { sha256: "11".repeat(32), bytes: 100_000 }
                };
                Some(if open.dispatched {
                    ChatCommand::CompleteToolCall { worker, tool_call_id, result: ToolResult { outcome, output } }
                } else {
                    ChatCommand::DispatchToolCall { worker, tool_call_id }
                })
            }
        }) else {
            return;
        };
        let metadata = self.on_behalf(chat);
        self.chat_decide(chat, metadata, command).await;
    }

    fn on_behalf(&self, chat: &ChatLife) -> Metadata {
        let by = chat.state.turn.as_ref().map_or(UserId::SYSTEM, |turn| turn.by);
        Metadata::new(Actor::Worker(self.worker), by).correlated(chat.id.0)
    }

    /// The provider says more, or ends.
    async fn stream(&mut self, chat: &mut ChatLife) {
        let Some(mut call) = chat.call.take() else { return };
        let interrupting = chat.state.turn.as_ref().is_some_and(|turn| turn.interrupting);
        let (mut events, mut after) = (Vec::new(), call.state.deltas);
        if !call.state.requested {
            let requested = ModelCallEvent::Requested {
                chat_id: chat.id,
                turn_id: chat.state.turn.as_ref().unwrap().id,
                model: "test/model".parse().unwrap(),
                body_sha256: "00".repeat(32),
                body_bytes: 10,
                parts: vec![],
            };
            self.record(chat, &mut call, ModelCallCommand::Request(requested)).await;
        }
        for _ in 0..self.rng.random_range(1..12) {
            events.push(self.delta(&mut call, after));
            after += 1;
        }
        let end = self.rng.random_range(0..8);
        let ends = interrupting || end < 3;
        if ends {
            let usage = Usage { input: Some(100), output: Some(after), cache_read: Some(7), ..Usage::default() };
            events.push(ModelCallEvent::UsageReported { usage });
            events.push(match (interrupting, end) {
                (true, _) => ModelCallEvent::Interrupted,
                (false, 0) => {
                    ModelCallEvent::Failed { failure: Failure::new(FailureClass::Overloaded, "busy"), response_sha256: None }
                }
                (false, _) => ModelCallEvent::Finished { stop_reason: StopReason::EndOfTurn, response_sha256: None },
            });
        }
        self.record(chat, &mut call, ModelCallCommand::Record(events)).await;
        if ends {
            self.end(chat, call, interrupting).await;
        } else {
            chat.call = Some(call);
        }
    }

    fn delta(&mut self, call: &mut OpenCall, index: u64) -> ModelCallEvent {
        let new = call.blocks == 0 || self.rng.random_bool(0.1);
        if new {
            call.blocks += 1;
        }
        let block = call.blocks - 1;
        let text = format!("t{index} ");
        // What a block is follows from its number.
        match (block % 4, new) {
            (1, _) => ModelCallEvent::ReasoningStreamed { index, block, text, signature: new.then(|| "sig".to_owned()) },
            (2, true) => {
                let call = StreamedCall { provider_id: format!("p{block}"), name: "execute".to_owned() };
                ModelCallEvent::ToolInputStreamed { index, block, text: "{".to_owned(), call: Some(call) }
            }
            (2, false) => ModelCallEvent::ToolInputStreamed { index, block, text, call: None },
            (3, _) => ModelCallEvent::OpaqueReceived { index, block: Some(block), dialect: "d".to_owned(), data: text },
            _ => ModelCallEvent::TextStreamed { index, block, text },
        }
    }

    async fn record(&mut self, chat: &ChatLife, call: &mut OpenCall, command: ModelCallCommand) {
        let context = self.context();
        let events = call.state.decide(command, &context).unwrap();
        let metadata = self.on_behalf(chat);
        self.append("model_call", &call.id.to_string(), Some(chat.id.0), metadata, &events).await;
        for event in &events {
            call.state.apply_event(event);
            call.assembly.add(call.id, event);
        }
    }

    async fn end(&mut self, chat: &mut ChatLife, call: OpenCall, interrupting: bool) {
        let (worker, model_call_id, parts, usage) = (self.worker, call.id, call.assembly.parts(), call.assembly.usage);
        let command = if interrupting {
            ChatCommand::FinishInterrupt { worker, partial: Some(Partial { model_call_id, parts, usage }) }
        } else if let Some(failure) = call.assembly.failure {
            ChatCommand::FailModelCall { worker, model_call_id, failure, partial: parts, usage }
        } else {
            let stop_reason = call.assembly.stop_reason.unwrap();
            ChatCommand::CompleteModelCall { worker, model_call_id, parts, usage, stop_reason }
        };
        let metadata = self.on_behalf(chat);
        self.chat_decide(chat, metadata, command).await;
    }

    async fn chat_decide(&mut self, chat: &mut ChatLife, metadata: Metadata, command: ChatCommand) {
        let context = self.context();
        let Ok(events) = chat.state.decide(command, &context) else { return };
        if !events.is_empty() {
            self.append("chat", &chat.id.to_string(), Some(chat.id.0), metadata, &events).await;
            events.iter().for_each(|event| chat.state.apply_event(event));
        }
    }
}
