//! The agent loop's state machine.

use super::*;
use crate::{
    chat::{Action, Status, command::Partial},
    conversation::Message,
    failure::{Failure, FailureClass},
};
use cqrs_es::test::TestFramework;

#[test]
fn a_turn_runs_its_tools_and_ends_with_an_answer_without_any() {
    let mut bench = Bench::begun();
    assert_eq!(bench.chat.next_action(worker()), Action::Claim { from: None });
    bench.does(ChatCommand::ClaimTurn { worker: worker(), from: None });
    assert!(matches!(bench.chat.next_action(worker()), Action::CallModel { step: 1, attempt: 1, .. }));
    bench.start_call(20);
    let done = bench.complete(20, vec![text("let me see"), call(30), call(31)], StopReason::ToolUse);
    assert_eq!(bench.names(done), ["model_call_completed", "tool_call_requested", "tool_call_requested"]);
    let Action::RunTools { calls } = bench.chat.next_action(worker()) else { panic!("tools are to run") };
    assert_eq!(calls.len(), 2);
    // They end in another order than they were called in; the history keeps the order of the calls.
    for n in [31, 30] {
        bench.does(ChatCommand::DispatchToolCall { worker: worker(), tool_call_id: ToolCallId(id(n)) });
        let done =
            ChatCommand::CompleteToolCall { worker: worker(), tool_call_id: ToolCallId(id(n)), result: result(&n.to_string()) };
        bench.does(done);
    }
    let Some(Message::Assistant { results, .. }) = bench.chat.messages.last() else { panic!("an answer is last") };
    assert_eq!(*results, [Some(result("30")), Some(result("31"))]);
    assert!(matches!(bench.chat.next_action(worker()), Action::CallModel { step: 2, .. }));
    bench.start_call(21);
    let done = bench.complete(21, vec![text("done")], StopReason::EndOfTurn);
    assert_eq!(bench.names(done), ["model_call_completed", "turn_completed"]);
    assert_eq!(bench.chat.next_action(worker()), Action::Rest);
}

#[test]
fn a_worker_that_lost_its_claim_is_fenced_out() {
    let mut bench = Bench::running();
    let heir = WorkerId(id(3));
    assert_eq!(bench.chat.next_action(heir), Action::Claim { from: Some(worker()) });
    let wrong = ChatCommand::ClaimTurn { worker: heir, from: None };
    assert_eq!(bench.refuses(wrong), ChatRefusal::NotYourTurn);
    bench.does(ChatCommand::ClaimTurn { worker: heir, from: Some(worker()) });
    let late = ChatCommand::StartModelCall {
        worker: worker(),
        model_call_id: ModelCallId(id(20)),
        model: model(),
        request_sha256: String::new(),
    };
    assert_eq!(bench.refuses(late), ChatRefusal::NotYourTurn);
}

#[test]
fn an_heir_closes_the_call_that_was_under_way_and_asks_again_for_tools_that_were_sent() {
    let mut bench = Bench::running();
    bench.start_call(20);
    let heir = WorkerId(id(3));
    bench.does(ChatCommand::ClaimTurn { worker: heir, from: Some(worker()) });
    assert_eq!(bench.chat.next_action(heir), Action::AbandonModelCall { model_call_id: ModelCallId(id(20)) });
    let names = bench.names(ChatCommand::FailModelCall {
        worker: heir,
        model_call_id: ModelCallId(id(20)),
        failure: Failure::new(FailureClass::WorkerLost, "gone"),
        partial: vec![text("half an ans")],
        usage: Usage { input: Some(7), ..Usage::default() },
    });
    assert_eq!(names, ["model_call_failed", "model_call_retry_scheduled"]);
    let Action::CallModel { attempt: 2, not_before: Some(at), .. } = bench.chat.next_action(heir) else {
        panic!("the call is made again")
    };
    assert!(at.0 <= i64::try_from(bench.ticks).unwrap(), "at once: a lost worker says nothing about the provider");
}

#[test]
fn an_interrupt_keeps_what_was_said_and_closes_open_tool_calls() {
    let mut bench = Bench::running();
    bench.start_call(20);
    bench.does(ChatCommand::Interrupt { by: me() });
    assert_eq!(bench.names(ChatCommand::Interrupt { by: me() }), [""; 0], "once is enough");
    assert_eq!(bench.chat.next_action(worker()), Action::FinishInterrupt);
    let partial = Partial { model_call_id: ModelCallId(id(20)), parts: vec![text("half"), call(30)], usage: Usage::default() };
    let names = bench.names(ChatCommand::FinishInterrupt { worker: worker(), partial: Some(partial) });
    assert_eq!(names, ["model_call_completed", "turn_interrupted"]);
    let Some(Message::Assistant { parts, .. }) = bench.chat.messages.last() else { panic!("an answer is last") };
    assert_eq!(*parts, [text("half")], "a call that was never executed is no part of the history");

    let mut bench = Bench::running();
    bench.start_call(20);
    let done = bench.complete(20, vec![call(30)], StopReason::ToolUse);
    bench.does(done);
    bench.does(ChatCommand::Interrupt { by: me() });
    let names = bench.names(ChatCommand::FinishInterrupt { worker: worker(), partial: None });
    assert_eq!(names, ["tool_call_cancelled", "turn_interrupted"]);
    let (_, result) = bench.chat.messages.last().unwrap().tool_calls().next().unwrap();
    assert_eq!(result.unwrap().outcome, ToolOutcome::Cancelled);
}

#[test]
fn an_unclaimed_turn_is_interrupted_at_once() {
    let mut bench = Bench::begun();
    assert_eq!(bench.names(ChatCommand::Interrupt { by: me() }), ["interrupt_requested", "turn_interrupted"]);
    assert_eq!(bench.refuses(ChatCommand::Interrupt { by: me() }), ChatRefusal::NoTurn);
}

#[test]
fn failures_are_retried_by_class_and_no_longer_than_the_limit() {
    let mut bench = Bench::running();
    let fail = |class| ChatCommand::FailModelCall {
        worker: worker(),
        model_call_id: ModelCallId(id(20)),
        failure: Failure::new(class, "x"),
        partial: vec![],
        usage: Usage::default(),
    };
    for attempt in 1..crate::chat::limits::MAX_ATTEMPTS {
        bench.start_call(20);
        assert_eq!(bench.names(fail(FailureClass::Overloaded)), ["model_call_failed", "model_call_retry_scheduled"]);
        assert!(matches!(bench.chat.next_action(worker()), Action::CallModel { attempt: next, .. } if next == attempt + 1));
    }
    bench.start_call(20);
    assert_eq!(bench.names(fail(FailureClass::Overloaded)), ["model_call_failed", "turn_failed"]);
    assert_eq!(bench.chat.status(), Status::Error);

    let mut bench = Bench::running();
    bench.start_call(20);
    assert_eq!(bench.names(fail(FailureClass::Auth)), ["model_call_failed", "turn_failed"]);
}

#[test]
fn retry_after_is_honoured_when_it_is_longer() {
    let mut bench = Bench::running();
    bench.start_call(20);
    let failure = Failure { retry_after_ms: Some(90_000), ..Failure::new(FailureClass::RateLimit, "slow down") };
    let now = bench.ticks + 1;
    let (partial, usage) = (vec![], Usage::default());
    bench.does(ChatCommand::FailModelCall { worker: worker(), model_call_id: ModelCallId(id(20)), failure, partial, usage });
    let Action::CallModel { not_before: Some(at), .. } = bench.chat.next_action(worker()) else { panic!("a retry is due") };
    let waited = at.since(Timestamp(i64::try_from(now).unwrap()));
    assert!((90.0..=99.1).contains(&waited.as_secs_f64()), "{waited:?}");
}

#[test]
fn a_call_cut_at_the_output_limit_is_never_executed() {
    let mut bench = Bench::running();
    bench.start_call(20);
    let done = bench.complete(20, vec![call(30), call(31)], StopReason::MaxTokens);
    let names = bench.names(done);
    assert_eq!(names, ["model_call_completed", "tool_call_requested", "tool_call_requested", "tool_call_cancelled"]);
    let Action::RunTools { calls } = bench.chat.next_action(worker()) else { panic!("the whole call runs") };
    assert_eq!(calls.len(), 1);
}

#[test]
fn a_paused_turn_goes_on() {
    let mut bench = Bench::running();
    bench.start_call(20);
    let done = bench.complete(20, vec![text("wait")], StopReason::Pause);
    assert_eq!(bench.names(done), ["model_call_completed"]);
    assert!(matches!(bench.chat.next_action(worker()), Action::CallModel { step: 2, .. }));
}

#[test]
fn decisions_hold_under_the_framework_of_cqrs_es() {
    let context = Context { now: Timestamp(5), id: id(9) };
    let created = ChatEvent::Created { owner: me(), title: None, model: None, workspace_id: None, labels: BTreeMap::new() };
    TestFramework::<Chat>::with(context)
        .given(vec![created.clone()])
        .when(ChatCommand::SetTitle { title: "  A title ".to_owned() })
        .then_expect_events(vec![ChatEvent::Titled { title: "A title".to_owned() }]);
    TestFramework::<Chat>::with(context)
        .given(vec![created])
        .when(ChatCommand::SetTitle { title: "\u{7}".to_owned() })
        .then_expect_error(ChatRefusal::TitleInvalid { max: 200 });
    TestFramework::<Chat>::with(context)
        .given_no_previous_events()
        .when(ChatCommand::Interrupt { by: me() })
        .then_expect_error(ChatRefusal::ChatNotFound);
}
