//! Properties of any history: whatever is asked in whatever order, the invariants hold.

use super::*;
use crate::{
    chat::{Action, Delivery, command::Partial},
    conversation::Message,
    failure::{Failure, FailureClass},
    ids::QueuedId,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A person's or a fault's step; the worker's own steps follow from the state.
#[derive(Clone, Debug)]
enum Step {
    Submit(Delivery),
    Interrupt,
    Promote(usize),
    Remove(usize),
    Reverse,
    /// Another worker takes over.
    Crash,
    /// The worker does what is next; the numbers choose how it turns out.
    Work {
        calls: u8,
        outcome: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let delivery = prop_oneof![Just(Delivery::TurnEnd), Just(Delivery::NextStep), Just(Delivery::Interrupt)];
    prop_oneof![
        2 => delivery.prop_map(Step::Submit),
        1 => Just(Step::Interrupt),
        1 => (0..5usize).prop_map(Step::Promote),
        1 => (0..5usize).prop_map(Step::Remove),
        1 => Just(Step::Reverse),
        1 => Just(Step::Crash),
        12 => (0..4u8, 0..6u8).prop_map(|(calls, outcome)| Step::Work { calls, outcome }),
    ]
}

struct World {
    bench: Bench,
    worker: WorkerId,
    next: u128,
    history: Vec<ChatEvent>,
}

impl World {
    fn fresh(&mut self) -> u128 {
        self.next += 1;
        self.next
    }

    fn tries(&mut self, command: ChatCommand) {
        if let Ok(events) = self.bench.decides(command) {
            self.history.extend(events);
        }
    }

    fn takes(&mut self, step: &Step) {
        let queued = |chat: &Chat, n: usize| chat.queue.get(n).map(|prompt| prompt.id);
        match step {
            Step::Submit(delivery) => {
                let prompt = prompt(self.fresh(), "more");
                self.tries(ChatCommand::Submit { prompt, delivery: *delivery });
            }
            Step::Interrupt => self.tries(ChatCommand::Interrupt { by: me() }),
            Step::Promote(n) => {
                let queued_id = queued(&self.bench.chat, *n).unwrap_or(QueuedId(id(0)));
                self.tries(ChatCommand::PromoteQueued { queued_id, by: me() });
            }
            Step::Remove(n) => {
                let queued_id = queued(&self.bench.chat, *n).unwrap_or(QueuedId(id(0)));
                self.tries(ChatCommand::RemoveQueued { queued_id });
            }
            Step::Reverse => {
                let order = self.bench.chat.queue.iter().rev().map(|prompt| prompt.id).collect();
                self.tries(ChatCommand::ReorderQueue { order });
            }
            Step::Crash => self.worker = WorkerId(id(self.fresh())),
            Step::Work { calls, outcome } => self.works(*calls, *outcome),
        }
    }

    fn works(&mut self, calls: u8, outcome: u8) {
        let worker = self.worker;
        let failure = Failure::new(if outcome == 0 { FailureClass::Auth } else { FailureClass::Overloaded }, "x");
        match self.bench.chat.next_action(worker) {
            Action::Rest => {}
            Action::Claim { from } => self.tries(ChatCommand::ClaimTurn { worker, from }),
            Action::DeliverForStep => self.tries(ChatCommand::DeliverForStep { worker }),
            Action::FinishInterrupt => self.tries(ChatCommand::FinishInterrupt { worker, partial: None }),
            Action::AbandonModelCall { model_call_id } => {
                self.tries(ChatCommand::FailModelCall {
                    worker,
                    model_call_id,
                    failure,
                    partial: vec![],
                    usage: Usage::default(),
                });
            }
            Action::CallModel { .. } => {
                let model_call_id = ModelCallId(id(self.fresh()));
                let request_sha256 = String::new();
                self.tries(ChatCommand::StartModelCall { worker, model_call_id, model: model(), request_sha256 });
                let mut parts = vec![text("words")];
                for _ in 0..calls {
                    parts.push(call(self.fresh()));
                }
                let usage = Usage::default();
                let end = match outcome {
                    0 | 1 => ChatCommand::FailModelCall { worker, model_call_id, failure, partial: parts, usage },
                    2 => {
                        self.tries(ChatCommand::Interrupt { by: me() });
                        ChatCommand::FinishInterrupt { worker, partial: Some(Partial { model_call_id, parts, usage }) }
                    }
                    3 => {
                        let stop_reason = StopReason::MaxTokens;
                        ChatCommand::CompleteModelCall { worker, model_call_id, parts, usage, stop_reason }
                    }
                    // The worker dies in the middle.
                    4 => return,
                    _ => {
                        let stop_reason = StopReason::EndOfTurn;
                        ChatCommand::CompleteModelCall { worker, model_call_id, parts, usage, stop_reason }
                    }
                };
                self.tries(end);
            }
            Action::RunTools { calls: open } => {
                for open in open.iter().take(usize::from(outcome) + 1) {
                    let tool_call_id = open.call.id;
                    self.tries(ChatCommand::DispatchToolCall { worker, tool_call_id });
                    if outcome != 4 {
                        self.tries(ChatCommand::CompleteToolCall { worker, tool_call_id, result: result("r") });
                    }
                }
            }
        }
    }

    /// The history is valid for every provider at any time a request may be made.
    fn check(&self) {
        let chat = &self.bench.chat;
        let open: BTreeSet<_> = chat.turn.iter().flat_map(|turn| &turn.tool_calls).map(|open| open.call.id).collect();
        let unanswered: BTreeSet<_> = chat
            .messages
            .iter()
            .flat_map(|message| message.tool_calls().filter(|(_, result)| result.is_none()).map(|(call, _)| call.id))
            .collect();
        assert_eq!(open, unanswered, "a call without a result is open, and the other way round");
        for (n, message) in chat.messages.iter().enumerate() {
            if matches!(message, Message::User { .. }) {
                let mut earlier = chat.messages[..n].iter().flat_map(Message::tool_calls);
                assert!(earlier.all(|(_, result)| result.is_some()), "a prompt comes after all results");
            }
        }
        if let Action::CallModel { .. } = chat.next_action(self.worker) {
            assert!(unanswered.is_empty());
        }
        // Whatever waits is waiting for a turn that is under way, or for one that failed.
        assert!(chat.queue.is_empty() || chat.turn.is_some() || chat.failure.is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_valid(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World { bench: Bench::begun(), worker: worker(), next: 10_000, history: vec![] };
        let mut refolded = world.bench.chat.clone();
        for step in &steps {
            world.takes(step);
            world.check();
        }
        // The state is the fold of the events, also after they were stored.
        for event in &world.history {
            let stored = serde_json::to_string(event).unwrap();
            refolded.apply_event(&serde_json::from_str(&stored).unwrap());
        }
        prop_assert_eq!(&refolded, &world.bench.chat);
        // Left alone, the worker brings every chat to rest.
        for _ in 0..500 {
            world.works(0, 5);
            world.check();
        }
        prop_assert_eq!(world.bench.chat.next_action(world.worker), Action::Rest);
    }
}
