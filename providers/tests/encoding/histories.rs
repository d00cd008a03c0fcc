//! Random conversations, against the rules of every provider.

use crate::{
    MODELS, answer,
    answers::{protocol, recorded as recorded_answers},
    body, call, encode, encode_with, result,
    rules::assert_rules,
};
use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolOutcome, ToolResult},
    ids::MessageId,
};
use docket_providers::EncodedRequest;
use proptest::prelude::*;
use uuid::Uuid;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(" \n".to_owned()), ".{0,12}", "[a-z]{1,8}"]
}

fn any_part() -> impl Strategy<Value = AssistantPart> {
    let input =
        prop_oneof![any_text(), Just(r#"{"a":1}"#.to_owned()), Just(r#"{"a":"#.to_owned()), Just(r#"["\ud800"]"#.to_owned())];
    let id = prop_oneof![any_text(), Just("toolu_same".to_owned()), "call_[a-z]{1,50}"];
    prop_oneof![
        any_text().prop_map(|text| AssistantPart::Text { text }),
        (any_text(), prop::option::of(any_text())).prop_map(|(text, signature)| AssistantPart::Reasoning { text, signature }),
        (any::<u128>(), id, any_text(), input).prop_map(|(n, id, name, input)| call(n, &id, &name, &input)),
        (
            prop_oneof![Just("anthropic-messages"), Just("openai-chat"), Just("other")],
            prop_oneof![any_text(), Just(r#"{"type":"compaction"}"#.to_owned()), Just(r#"{"reasoning_field":"x"}"#.to_owned())]
        )
            .prop_map(|(dialect, data)| AssistantPart::Opaque { dialect: dialect.to_owned(), data }),
    ]
}

/// Results as they can be when a request is made: there, called off, lost, or open.
fn any_results() -> impl Strategy<Value = Vec<Option<ToolResult>>> {
    let outcome =
        prop_oneof![Just(ToolOutcome::Ok), Just(ToolOutcome::Error), Just(ToolOutcome::Unknown), Just(ToolOutcome::Cancelled)];
    prop::collection::vec(prop::option::of((outcome, any_text())), 0..5)
        .prop_map(|all| all.into_iter().map(|one| one.and_then(|(outcome, text)| result(outcome, &text))).collect())
}

fn any_message() -> impl Strategy<Value = Message> {
    let model = prop::sample::select(&MODELS[..]);
    // A recorded answer, whole or interrupted anywhere.
    let recorded = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>(), any::<u64>(), any_results());
    prop_oneof![
        prop::collection::vec(any_text(), 0..3).prop_map(|texts| Message::User {
            id: MessageId(Uuid::nil()),
            content: texts.into_iter().map(|text| PromptPart::Text { text }).collect(),
        }),
        (prop::collection::vec(any_part(), 0..5), any_results(), model)
            .prop_map(|(parts, results, model)| answer(model, parts, results)),
        recorded.prop_map(|(which, at, whole, id, results)| {
            let one = which.get(recorded_answers());
            let parts = if whole { one.whole(id.into()) } else { one.parts(id.into(), at.index(one.len())) };
            answer(one.model, parts, results)
        }),
    ]
}

/// A paused answer can be sent back with a call of the provider's own that is still open, and only as the last.
fn is_open(message: &Message) -> bool {
    matches!(message, Message::Assistant { parts, .. } if parts.iter().any(|part| {
        matches!(part, AssistantPart::Opaque { data, .. } if data.contains("server_tool_use"))
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random histories with interrupts, cancelled and lost tools, garbled names and ids, and answers of every provider in one
    /// conversation; after every message a request could be made, of every provider.
    #[test]
    fn every_conversation_is_valid_and_grows_by_parts(messages in prop::collection::vec(any_message(), 0..8), system in any_text()) {
        for model in MODELS.into_iter().chain(["scripted/guided"]) {
            let requests: Vec<EncodedRequest> = (0..=messages.len()).map(|n| encode(model, &system, &messages[..n])).collect();
            for (n, pair) in requests.windows(2).enumerate() {
                let kept = &pair[0].parts[..pair[0].parts.len() - 1];
                if n == 0 || !is_open(&messages[n - 1]) {
                    prop_assert_eq!(kept, &pair[1].parts[..kept.len()], "a longer conversation keeps the parts of a shorter one");
                }
            }
            if model != "scripted/guided" {
                requests.iter().for_each(|request| assert_rules(protocol(model), &body(request)));
            }
        }
    }

    /// A request without tools (a summary, a title) is taken too.
    #[test]
    fn every_conversation_is_valid_without_tools(messages in prop::collection::vec(any_message(), 0..6)) {
        for model in MODELS {
            assert_rules(protocol(model), &body(&encode_with(model, "", &messages, &[])));
        }
    }
}
