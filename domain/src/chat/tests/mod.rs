mod history;
mod loops;
mod prompts;

use super::{Chat, ChatCommand, ChatEvent, ChatRefusal, command::Prompt};
use crate::{
    aggregate::{Context, Decide},
    conversation::{AssistantPart, PromptPart, ToolCall, ToolOutcome, ToolOutput, ToolResult},
    ids::{ModelCallId, ToolCallId, UserId, WorkerId},
    model_name::ModelName,
    time::Timestamp,
    usage::{StopReason, Usage},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A chat that commands are put to, with a clock and ids that a test can foretell.
struct Bench {
    chat: Chat,
    ticks: u128,
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn me() -> UserId {
    UserId(id(1))
}

fn worker() -> WorkerId {
    WorkerId(id(2))
}

fn model() -> ModelName {
    "openai/m".parse().unwrap()
}

fn prompt(n: u128, text: &str) -> Prompt {
    Prompt { id: id(n), by: me(), content: vec![PromptPart::Text { text: text.to_owned() }], model: None }
}

fn text(text: &str) -> AssistantPart {
    AssistantPart::Text { text: text.to_owned() }
}

fn call(n: u128) -> AssistantPart {
    AssistantPart::ToolCall(ToolCall {
        id: ToolCallId(id(n)),
        provider_id: format!("call_{n}"),
        name: "execute".to_owned(),
        input: "{}".to_owned(),
    })
}

fn result(text: &str) -> ToolResult {
    ToolResult { outcome: ToolOutcome::Ok, output: ToolOutput::Inline { text: text.to_owned() } }
}

impl Bench {
    fn empty() -> Self {
        Self { chat: Chat::default(), ticks: 1_000_000 }
    }

    /// A chat with a first prompt.
    fn begun() -> Self {
        let mut bench = Self::empty();
        bench.does(ChatCommand::Create {
            owner: me(),
            title: None,
            model: None,
            workspace_id: None,
            labels: BTreeMap::new(),
            prompt: Some(prompt(100, "hello")),
        });
        bench
    }

    /// A chat whose turn the worker has claimed.
    fn running() -> Self {
        let mut bench = Self::begun();
        bench.does(ChatCommand::ClaimTurn { worker: worker(), from: None });
        bench
    }

    fn decides(&mut self, command: ChatCommand) -> Result<Vec<ChatEvent>, ChatRefusal> {
        self.ticks += 1;
        let context = Context { now: Timestamp(i64::try_from(self.ticks).unwrap()), id: id(self.ticks) };
        let events = self.chat.decide(command, &context)?;
        events.iter().for_each(|event| self.chat.apply_event(event));
        Ok(events)
    }

    fn does(&mut self, command: ChatCommand) -> Vec<ChatEvent> {
        self.decides(command).unwrap()
    }

    /// The names of the events.
    fn names(&mut self, command: ChatCommand) -> Vec<&'static str> {
        self.does(command).iter().map(|event| <&'static str>::from(event).trim_start_matches("chat.")).collect()
    }

    fn refuses(&mut self, command: ChatCommand) -> ChatRefusal {
        let before = self.chat.clone();
        let refusal = self.decides(command).unwrap_err();
        assert_eq!(self.chat, before);
        refusal
    }

    fn start_call(&mut self, n: u128) {
        self.does(ChatCommand::StartModelCall {
            worker: worker(),
            model_call_id: ModelCallId(id(n)),
            model: model(),
            request_sha256: "00".to_owned(),
        });
    }

    fn complete(&self, n: u128, parts: Vec<AssistantPart>, stop_reason: StopReason) -> ChatCommand {
        ChatCommand::CompleteModelCall {
            worker: worker(),
            model_call_id: ModelCallId(id(n)),
            parts,
            usage: Usage::default(),
            stop_reason,
        }
    }
}
