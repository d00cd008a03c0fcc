use super::{Assembly, ModelCall, ModelCallCommand, ModelCallEvent, ModelCallRefusal, StreamedCall};
use crate::{
    aggregate::{Context, Decide},
    conversation::AssistantPart,
    ids::{ChatId, ModelCallId, TurnId},
    time::Timestamp,
    usage::{StopReason, Usage},
};
use cqrs_es::{DomainEvent, test::TestFramework};
use uuid::Uuid;

fn context() -> Context {
    Context { now: Timestamp(1), id: Uuid::nil() }
}

fn requested() -> ModelCallEvent {
    ModelCallEvent::Requested {
        chat_id: ChatId(Uuid::nil()),
        turn_id: TurnId(Uuid::nil()),
        model: "openai/m".parse().unwrap(),
        body_sha256: String::new(),
        body_bytes: 0,
        parts: vec![],
    }
}

fn said(index: u64, block: u32, text: &str) -> ModelCallEvent {
    ModelCallEvent::TextStreamed { index, block, text: text.to_owned() }
}

fn finished() -> ModelCallEvent {
    ModelCallEvent::Finished { stop_reason: StopReason::EndOfTurn, response_sha256: None }
}

#[test]
fn deltas_come_in_order_and_stop_at_the_terminal() {
    TestFramework::<ModelCall>::with(context())
        .given(vec![requested(), said(0, 0, "a")])
        .when(ModelCallCommand::Record(vec![said(1, 0, "b"), finished()]))
        .then_expect_events(vec![said(1, 0, "b"), finished()]);
    TestFramework::<ModelCall>::with(context())
        .given(vec![requested(), said(0, 0, "a")])
        .when(ModelCallCommand::Record(vec![said(0, 0, "a")]))
        .then_expect_error(ModelCallRefusal::OutOfOrder { expected: 1, got: 0 });
    TestFramework::<ModelCall>::with(context())
        .given(vec![requested(), finished()])
        .when(ModelCallCommand::Record(vec![said(0, 0, "a")]))
        .then_expect_error(ModelCallRefusal::Ended);
    TestFramework::<ModelCall>::with(context())
        .given_no_previous_events()
        .when(ModelCallCommand::Record(vec![said(0, 0, "a")]))
        .then_expect_error(ModelCallRefusal::NotRequested);
}

#[test]
fn a_call_is_abandoned_once() {
    let mut call = ModelCall::default();
    call.apply_event(&requested());
    let events = call.decide(ModelCallCommand::Abandon, &context()).unwrap();
    assert!(matches!(events[..], [ModelCallEvent::Failed { .. }]));
    call.apply_event(&events[0]);
    assert_eq!(call.decide(ModelCallCommand::Abandon, &context()).unwrap(), []);
}

#[test]
fn the_assembly_joins_what_belongs_together() {
    let id = ModelCallId(Uuid::from_u128(7));
    let mut assembly = Assembly::default();
    let call = |index, block, text: &str, call| ModelCallEvent::ToolInputStreamed { index, block, text: text.to_owned(), call };
    let begin = |name: &str| Some(StreamedCall { provider_id: format!("p_{name}"), name: name.to_owned() });
    let think = |index, text: &str, signature: Option<&str>| ModelCallEvent::ReasoningStreamed {
        index,
        block: 0,
        text: text.to_owned(),
        signature: signature.map(str::to_owned),
    };
    let events = [
        think(0, "hm", None),
        think(1, "", Some("si")),
        think(2, "", Some("gn")),
        said(3, 1, "Hel"),
        said(4, 1, "lo"),
        call(5, 2, "", begin("a")),
        call(6, 3, "", begin("b")),
        call(7, 2, "{\"x\"", None),
        call(8, 3, "{}", None),
        call(9, 2, ":1}", None),
        ModelCallEvent::UsageReported { usage: Usage { input: Some(3), ..Usage::default() } },
        ModelCallEvent::UsageReported { usage: Usage { output: Some(5), ..Usage::default() } },
        finished(),
    ];
    events.iter().for_each(|event| assembly.add(id, event));
    let parts = assembly.parts();
    assert_eq!(parts[0], AssistantPart::Reasoning { text: "hm".to_owned(), signature: Some("sign".to_owned()) });
    assert_eq!(parts[1], AssistantPart::Text { text: "Hello".to_owned() });
    let calls: Vec<_> = parts[2..]
        .iter()
        .map(|part| match part {
            AssistantPart::ToolCall(call) => (call.provider_id.as_str(), call.name.as_str(), call.input.as_str(), call.id),
            _ => panic!("a tool call"),
        })
        .collect();
    assert_eq!((calls[0].0, calls[0].1, calls[0].2), ("p_a", "a", "{\"x\":1}"));
    assert_eq!((calls[1].0, calls[1].1, calls[1].2), ("p_b", "b", "{}"));
    assert_ne!(calls[0].3, calls[1].3);
    assert_eq!((assembly.usage.input, assembly.usage.output), (Some(3), Some(5)));
    assert_eq!(assembly.stop_reason, Some(StopReason::EndOfTurn));
}

#[test]
fn stored_names_are_frozen() {
    let names = [requested(), said(0, 0, ""), finished(), ModelCallEvent::Interrupted].map(|event| event.event_type());
    assert_eq!(names, ["model_call.requested", "model_call.text_streamed", "model_call.finished", "model_call.interrupted"]);
    let stored = serde_json::to_string(&said(3, 1, "ä")).unwrap();
    assert_eq!(stored, r#"{"type":"text_streamed","index":3,"block":1,"text":"ä"}"#);
}
