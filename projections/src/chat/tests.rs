use super::{ChatView, MessageRole, MessageState, PartDocument, ToolCallState};
use docket_domain::{
    chat::{ChatEvent, Delivery, Status},
    conversation::{AssistantPart, PromptPart, ToolOutcome, ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    ids::{ChatId, MessageId, ModelCallId, QueuedId, ToolCallId, TurnId, UserId, WorkerId},
    model_call::{Assembly, ModelCallEvent, StreamedCall},
    usage::{StopReason, Usage},
};
use std::collections::BTreeMap;
use uuid::Uuid;

const USER: UserId = UserId(Uuid::from_u128(1));
const TURN: TurnId = TurnId(Uuid::from_u128(2));
const CALL: ModelCallId = ModelCallId(Uuid::from_u128(3));

fn text(text: &str) -> Vec<PromptPart> {
    vec![PromptPart::Text { text: text.to_owned() }]
}

fn chat(events: &[ChatEvent]) -> ChatView {
    let mut view = ChatView::new(ChatId(Uuid::from_u128(9)));
    for event in events {
        let position = view.chat.position + 10;
        view.apply(position, i64::try_from(position).unwrap() * 1000, event);
    }
    view
}

fn created() -> ChatEvent {
    ChatEvent::Created { owner: USER, title: None, model: None, workspace_id: None, labels: BTreeMap::new() }
}

fn prompt(id: u128, content: &str) -> ChatEvent {
    ChatEvent::PromptSubmitted { message_id: MessageId(Uuid::from_u128(id)), by: USER, content: text(content) }
}

fn turn() -> [ChatEvent; 2] {
    [
        ChatEvent::TurnRequested { turn_id: TURN, by: USER, model: None },
        ChatEvent::TurnClaimed { turn_id: TURN, worker: WorkerId(Uuid::nil()) },
    ]
}

fn started() -> ChatEvent {
    ChatEvent::ModelCallStarted {
        model_call_id: CALL,
        turn_id: TURN,
        step: 1,
        attempt: 1,
        model: "p/m".parse().unwrap(),
        request_sha256: String::new(),
    }
}

fn streaming() -> ChatView {
    let [requested, claimed] = turn();
    chat(&[created(), prompt(20, "hello"), requested, claimed, started()])
}

fn deltas() -> Vec<ModelCallEvent> {
    let call = Some(StreamedCall { provider_id: "x".to_owned(), name: "execute".to_owned() });
    let opaque = |index, block, data: &str| ModelCallEvent::OpaqueReceived {
        index,
        block,
        dialect: "d".to_owned(),
        data: data.to_owned(),
    };
    vec![
        ModelCallEvent::ReasoningStreamed { index: 0, block: 0, text: String::new(), signature: None },
        ModelCallEvent::TextStreamed { index: 1, block: 1, text: String::new() },
        ModelCallEvent::ToolInputStreamed { index: 2, block: 2, text: "{\"a\"".to_owned(), call },
        opaque(3, None, "ping"),
        ModelCallEvent::TextStreamed { index: 4, block: 1, text: "Hello ".to_owned() },
        ModelCallEvent::ReasoningStreamed { index: 5, block: 0, text: "Hm".to_owned(), signature: None },
        opaque(6, Some(3), "{}"),
        ModelCallEvent::ToolInputStreamed { index: 7, block: 2, text: ":1}".to_owned(), call: None },
        opaque(8, Some(3), "{\"b\":1}"),
        ModelCallEvent::TextStreamed { index: 9, block: 1, text: "world".to_owned() },
        ModelCallEvent::ReasoningStreamed { index: 10, block: 0, text: String::new(), signature: Some("s1".to_owned()) },
        ModelCallEvent::ReasoningStreamed { index: 11, block: 0, text: String::new(), signature: Some("s2".to_owned()) },
        ModelCallEvent::UsageReported { usage: Usage { input: Some(5), output: Some(7), ..Usage::default() } },
        ModelCallEvent::Finished { stop_reason: StopReason::ToolUse, response_sha256: None },
    ]
}

/// The streamed parts in the form of completed ones.
fn settled(parts: &[PartDocument]) -> Vec<PartDocument> {
    let mut parts = parts.to_vec();
    for part in &mut parts {
        match part {
            PartDocument::Text { block, .. } | PartDocument::Reasoning { block, .. } | PartDocument::Opaque { block, .. } => {
                *block = None;
            }
            PartDocument::ToolCall(call) => call.block = None,
        }
    }
    parts
}

#[test]
fn the_fold_of_deltas_is_the_assembly_after_each_of_them() {
    let mut view = streaming();
    let mut assembly = Assembly::default();
    for (position, delta) in (100..).zip(deltas()) {
        assembly.add(CALL, &delta);
        assert_eq!(view.apply_delta(position, 0, CALL, &delta), Some(1));
        let expected: Vec<PartDocument> = assembly.parts().iter().map(Into::into).collect();
        assert_eq!(settled(&view.messages[1].parts), expected, "after {delta:?}");
    }
    let message = &view.messages[1];
    assert_eq!(message.state, MessageState::Streaming, "until the chat says that it is complete");
    assert_eq!(message.usage, Some(assembly.usage));
    assert_eq!(message.stop_reason, assembly.stop_reason);
    let streamed = settled(&message.parts);

    view.apply(
        200,
        0,
        &ChatEvent::ModelCallCompleted {
            model_call_id: CALL,
            model: "p/m".parse().unwrap(),
            parts: assembly.parts(),
            usage: assembly.usage,
            stop_reason: StopReason::ToolUse,
        },
    );
    assert_eq!(view.messages[1].parts, streamed);
    assert_eq!(view.messages[1].state, MessageState::Complete);
    assert_eq!((view.chat.usage.model_calls, view.chat.usage.input, view.chat.usage.output), (1, 5, 7));
}

#[test]
fn a_delta_counts_once_and_only_while_the_answer_is_open() {
    let mut view = streaming();
    let delta = ModelCallEvent::TextStreamed { index: 0, block: 0, text: "x".to_owned() };
    assert_eq!(view.apply_delta(100, 0, CALL, &delta), Some(1));
    assert_eq!(view.apply_delta(100, 0, CALL, &delta), None, "again");
    assert_eq!(view.apply_delta(101, 0, ModelCallId(Uuid::nil()), &delta), None, "of another call");
    let failure = Failure::new(FailureClass::Timeout, "late");
    let partial = vec![AssistantPart::Text { text: "x".to_owned() }];
    let usage = Usage { input: Some(9), ..Usage::default() };
    view.apply(102, 0, &ChatEvent::ModelCallFailed { model_call_id: CALL, failure: failure.clone(), partial, usage });
    assert_eq!(view.apply_delta(103, 0, CALL, &delta), None, "after its end");
    let message = &view.messages[1];
    assert_eq!((message.state, &message.failure), (MessageState::Failed, &Some(failure)));
    assert_eq!(message.usage, Some(usage), "what a failed call used is paid for all the same");
    assert_eq!(view.chat.usage.input, 9);
    assert_eq!(message.parts, [PartDocument::Text { text: "x".to_owned(), block: None }]);
    assert_eq!(view.open_call(), None);
}

#[test]
fn a_reader_goes_on_from_a_document_in_the_middle_of_an_answer() {
    let all = deltas();
    let mut whole = streaming();
    for (position, delta) in (100..).zip(&all) {
        whole.apply_delta(position, 7, CALL, delta);
    }
    for cut in 0..=all.len() {
        let mut view = streaming();
        for (position, delta) in (100..).zip(&all[..cut]) {
            view.apply_delta(position, 7, CALL, delta);
        }
        let sent = serde_json::to_string(&view.messages).unwrap();
        let mut view = ChatView { chat: view.chat, messages: serde_json::from_str(&sent).unwrap() };
        for (position, delta) in (100..).zip(&all) {
            view.apply_delta(position, 7, CALL, delta);
        }
        assert_eq!(view, whole, "cut at {cut}");
    }
}

#[test]
fn a_tool_call_goes_through_its_states() {
    let mut view = streaming();
    let call = docket_domain::conversation::ToolCall {
        id: ToolCallId(Uuid::from_u128(30)),
        provider_id: "x".to_owned(),
        name: "execute".to_owned(),
        input: "{}".to_owned(),
    };
    let id = call.id;
    let result = ToolResult { outcome: ToolOutcome::Error, output: ToolOutput::Inline { text: "no".to_owned() } };
    let steps = [
        (
            ChatEvent::ModelCallCompleted {
                model_call_id: CALL,
                model: "p/m".parse().unwrap(),
                parts: vec![AssistantPart::ToolCall(call.clone())],
                usage: Usage::default(),
                stop_reason: StopReason::ToolUse,
            },
            ToolCallState::Streaming,
        ),
        (ChatEvent::ToolCallRequested { model_call_id: CALL, call }, ToolCallState::Requested),
        (ChatEvent::ToolCallDispatched { tool_call_id: id }, ToolCallState::Dispatched),
        (ChatEvent::ToolCallCompleted { tool_call_id: id, result: result.clone() }, ToolCallState::Completed),
    ];
    for (position, (event, state)) in (100..).zip(steps) {
        assert_eq!(view.apply(position, i64::try_from(position).unwrap(), &event), Some(1));
        assert_eq!(view.messages[1].tool_calls_mut().next().unwrap().state, state);
    }
    let call = view.messages[1].tool_calls_mut().next().unwrap().clone();
    assert_eq!((call.requested_at, call.dispatched_at, call.completed_at), (Some(101), Some(102), Some(103)));
    assert_eq!((call.outcome, call.output), (Some(ToolOutcome::Error), Some(result.output)));
}

#[test]
fn the_queue_keeps_its_order_and_becomes_messages() {
    let queued = |n: u128| ChatEvent::PromptQueued {
        queued_id: QueuedId(Uuid::from_u128(n)),
        by: USER,
        content: text(&n.to_string()),
        delivery: Delivery::TurnEnd,
        model: None,
    };
    let id = |n: u128| QueuedId(Uuid::from_u128(n));
    let [requested, claimed] = turn();
    let mut view = chat(&[
        created(),
        prompt(20, "hello"),
        requested,
        claimed,
        queued(1),
        queued(2),
        queued(3),
        ChatEvent::QueuedPromptsReordered { order: vec![id(3), id(1), id(2)] },
        ChatEvent::QueuedPromptPromoted { queued_id: id(2) },
        ChatEvent::QueuedPromptRemoved { queued_id: id(1) },
        ChatEvent::QueuedPromptEdited { queued_id: id(3), content: text("three") },
    ]);
    let order: Vec<_> = view.chat.queue.iter().map(|prompt| prompt.id).collect();
    assert_eq!(order, [id(2), id(3)]);
    assert_eq!(view.chat.queue[1].content, text("three"));
    view.apply(
        200,
        0,
        &ChatEvent::QueuedPromptDelivered { queued_id: id(2), message_id: MessageId(id(2).0), by: USER, content: text("2") },
    );
    assert_eq!(view.chat.queue.len(), 1);
    let message = view.messages.last().unwrap();
    assert_eq!((message.role, message.ordinal, message.turn_id), (MessageRole::User, 1, Some(TURN)));
}

#[test]
fn a_chats_status_follows_its_turn() {
    let [requested, claimed] = turn();
    let mut view = chat(&[created(), prompt(20, "hello")]);
    let failure = Failure::new(FailureClass::Quota, "empty");
    let steps = [
        (requested.clone(), Status::Pending),
        (claimed.clone(), Status::Running),
        (ChatEvent::InterruptRequested { turn_id: TURN, by: USER }, Status::Interrupting),
        (claimed.clone(), Status::Interrupting),
        (ChatEvent::TurnInterrupted { turn_id: TURN }, Status::Waiting),
        (requested.clone(), Status::Pending),
        (claimed, Status::Running),
        (ChatEvent::TurnFailed { turn_id: TURN, failure }, Status::Error),
        (requested, Status::Pending),
    ];
    for (position, (event, status)) in (100..).zip(steps) {
        view.apply(position, 0, &event);
        assert_eq!(view.chat.status, status, "after {event:?}");
        assert_eq!(view.chat.failure.is_some(), status == Status::Error);
    }
    assert_eq!(view.chat.preview, "hello");
    assert_eq!(view.messages[0].turn_id, Some(TURN), "a prompt belongs to the turn that it began");
}

#[test]
fn filing_a_chat_is_no_activity() {
    let mut view = chat(&[created()]);
    view.apply(50, 999_000, &ChatEvent::Pinned);
    view.apply(60, 999_001, &ChatEvent::Titled { title: "t".to_owned() });
    assert_eq!((view.chat.updated_at, view.chat.last_activity_at, view.chat.position), (999_001, 10_000, 60));
}
