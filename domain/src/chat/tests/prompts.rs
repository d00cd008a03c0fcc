//! Prompts and the queue.

use super::*;
use crate::{
    chat::{Delivery, Status, limits::MAX_QUEUE},
    conversation::Message,
    ids::QueuedId,
};

fn submit(n: u128, delivery: Delivery) -> ChatCommand {
    ChatCommand::Submit { prompt: prompt(n, &format!("prompt {n}")), delivery }
}

fn user_messages(chat: &Chat) -> Vec<u128> {
    let ids = chat.messages.iter().filter_map(|message| match message {
        Message::User { id, .. } => Some(id.0.as_u128()),
        Message::Assistant { .. } => None,
    });
    ids.collect()
}

#[test]
fn a_prompt_to_an_idle_chat_begins_a_turn() {
    let mut bench = Bench::empty();
    let create = ChatCommand::Create {
        owner: me(),
        title: None,
        model: None,
        workspace_id: None,
        labels: BTreeMap::new(),
        prompt: None,
    };
    assert_eq!(bench.names(create), ["created"]);
    assert_eq!(bench.chat.status(), Status::Waiting);
    assert_eq!(bench.names(submit(5, Delivery::TurnEnd)), ["prompt_submitted", "turn_requested"]);
    assert_eq!(bench.chat.status(), Status::Pending);
}

#[test]
fn prompts_sent_while_a_turn_runs_are_delivered_in_order_each_as_its_own_turn() {
    let mut bench = Bench::running();
    assert_eq!(bench.names(submit(10, Delivery::TurnEnd)), ["prompt_queued"]);
    assert_eq!(bench.names(submit(11, Delivery::TurnEnd)), ["prompt_queued"]);
    for (call, delivered) in [(20, vec![100, 10]), (21, vec![100, 10, 11])] {
        bench.start_call(call);
        let done = bench.complete(call, vec![text("ok")], StopReason::EndOfTurn);
        let names = bench.names(done);
        assert_eq!(names, ["model_call_completed", "turn_completed", "queued_prompt_delivered", "turn_requested"]);
        assert_eq!(user_messages(&bench.chat), delivered);
        bench.does(ChatCommand::ClaimTurn { worker: worker(), from: None });
    }
    bench.start_call(22);
    let done = bench.complete(22, vec![text("ok")], StopReason::EndOfTurn);
    assert_eq!(bench.names(done), ["model_call_completed", "turn_completed"]);
    assert_eq!(bench.chat.status(), Status::Waiting);
}

#[test]
fn a_prompt_for_the_next_step_joins_the_running_turn() {
    let mut bench = Bench::running();
    bench.start_call(20);
    assert_eq!(bench.names(submit(10, Delivery::NextStep)), ["prompt_queued"]);
    let done = bench.complete(20, vec![text("ok")], StopReason::EndOfTurn);
    assert_eq!(bench.names(done), ["model_call_completed"], "the turn goes on with what was sent");
    assert_eq!(bench.names(ChatCommand::DeliverForStep { worker: worker() }), ["queued_prompt_delivered"]);
    bench.start_call(21);
    let done = bench.complete(21, vec![text("ok")], StopReason::EndOfTurn);
    assert_eq!(bench.names(done), ["model_call_completed", "turn_completed"]);
}

#[test]
fn a_prompt_that_interrupts_goes_before_what_waits() {
    let mut bench = Bench::running();
    bench.does(submit(10, Delivery::TurnEnd));
    let names = bench.names(submit(11, Delivery::Interrupt));
    assert_eq!(names, ["prompt_queued", "queued_prompt_promoted", "interrupt_requested"]);
    assert_eq!(bench.chat.status(), Status::Interrupting);
    let names = bench.names(ChatCommand::FinishInterrupt { worker: worker(), partial: None });
    assert_eq!(names, ["turn_interrupted", "queued_prompt_delivered", "turn_requested"]);
    assert_eq!(user_messages(&bench.chat), [100, 11]);
}

#[test]
fn the_queue_is_edited_reordered_and_shortened() {
    let mut bench = Bench::running();
    (10..13).for_each(|n| drop(bench.does(submit(n, Delivery::TurnEnd))));
    let [a, b, c] = [10, 11, 12].map(|n| QueuedId(id(n)));
    bench.does(ChatCommand::ReorderQueue { order: vec![c, a, b] });
    bench.does(ChatCommand::RemoveQueued { queued_id: a });
    let content = vec![PromptPart::Text { text: "changed".to_owned() }];
    bench.does(ChatCommand::EditQueued { queued_id: b, content: content.clone() });
    let queue: Vec<_> = bench.chat.queue.iter().map(|prompt| prompt.id).collect();
    assert_eq!(queue, [c, b]);
    assert_eq!(bench.chat.queue[1].content, content);
    assert_eq!(bench.refuses(ChatCommand::ReorderQueue { order: vec![c] }), ChatRefusal::OrderIncomplete);
    assert_eq!(bench.refuses(ChatCommand::ReorderQueue { order: vec![c, c] }), ChatRefusal::OrderIncomplete);
    assert_eq!(bench.refuses(ChatCommand::RemoveQueued { queued_id: a }), ChatRefusal::QueuedNotFound);
}

#[test]
fn the_queue_has_an_end() {
    let mut bench = Bench::running();
    (0..MAX_QUEUE as u128).for_each(|n| drop(bench.does(submit(1_000 + n, Delivery::TurnEnd))));
    assert_eq!(bench.refuses(submit(9, Delivery::TurnEnd)), ChatRefusal::QueueFull { max: MAX_QUEUE });
}

#[test]
fn a_prompt_that_was_taken_in_is_not_taken_in_again() {
    let mut bench = Bench::running();
    bench.does(submit(10, Delivery::TurnEnd));
    assert_eq!(bench.names(submit(10, Delivery::TurnEnd)), [""; 0]);
    assert_eq!(bench.names(submit(100, Delivery::TurnEnd)), [""; 0]);
}

#[test]
fn a_prompt_needs_words() {
    let mut bench = Bench::running();
    for blank in [vec![], vec![PromptPart::Text { text: " \n".to_owned() }]] {
        let prompt = Prompt { content: blank, ..prompt(9, "") };
        assert_eq!(bench.refuses(ChatCommand::Submit { prompt, delivery: Delivery::TurnEnd }), ChatRefusal::PromptEmpty);
    }
    let large = ChatCommand::Submit { prompt: prompt(9, &"x".repeat(1024 * 1024 + 1)), delivery: Delivery::TurnEnd };
    assert!(matches!(bench.refuses(large), ChatRefusal::PromptTooLarge { .. }));
}

#[test]
fn after_a_failed_turn_what_waited_goes_first() {
    let mut bench = Bench::running();
    bench.does(submit(10, Delivery::TurnEnd));
    let failure = crate::failure::Failure::new(crate::failure::FailureClass::Auth, "no");
    assert_eq!(bench.names(ChatCommand::FailTurn { worker: worker(), failure }), ["turn_failed"]);
    assert_eq!(bench.chat.status(), Status::Error);
    let names = bench.names(submit(11, Delivery::TurnEnd));
    assert_eq!(names, ["prompt_queued", "queued_prompt_delivered", "turn_requested"]);
    assert_eq!(user_messages(&bench.chat), [100, 10]);
    assert_eq!(bench.chat.queue.len(), 1);
}

#[test]
fn an_archived_chat_takes_no_prompt() {
    let mut bench = Bench::running();
    assert_eq!(bench.refuses(ChatCommand::SetArchived { archived: true }), ChatRefusal::ChatBusy);
    bench.does(ChatCommand::Interrupt { by: me() });
    bench.does(ChatCommand::FinishInterrupt { worker: worker(), partial: None });
    bench.does(ChatCommand::SetArchived { archived: true });
    assert_eq!(bench.refuses(submit(9, Delivery::TurnEnd)), ChatRefusal::ChatArchived);
}
