//! A real chat, whatever has happened in it, is the same from a snapshot and its tail as from all events.

use crate::{
    fixture::*,
    snapshots::{folded, loaded, settled},
};
use cqrs_es::DomainEvent;
use docket_domain::{
    Timestamp,
    chat::{Chat, ChatEvent, Delivery},
    conversation::{AssistantPart, PromptPart, ToolCall, ToolOutcome, ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    ids::{MessageId, ModelCallId, QueuedId, ToolCallId, TurnId, UserId, WorkerId, WorkspaceId},
    usage::{StopReason, Usage},
};
use docket_eventlog::{Aggregates, Append, NewEvent, StreamId};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use uuid::Uuid;

on_both! { any_chat_survives_its_snapshot }

/// An event of the chosen kind, with ids so few that they meet. The fold takes any, in any order.
fn happened(kind: u8, n: u8, text: String) -> ChatEvent {
    let id = Uuid::from_u128(u128::from(n % 4) + 1);
    let (by, turn_id, queued_id, model_call_id) = (UserId(id), TurnId(id), QueuedId(id), ModelCallId(id));
    let (tool_call_id, message_id, workspace_id) = (ToolCallId(id), MessageId(id), WorkspaceId(id));
    let model = "a/b".parse().unwrap();
    let some_model = n.is_multiple_of(2).then(|| "c/d/e".parse().unwrap());
    let content = vec![PromptPart::Text { text: text.clone() }];
    let call = ToolCall { id: tool_call_id, provider_id: text.clone(), name: "read".into(), input: text.clone() };
    let failure = Failure::new(FailureClass::Overloaded, "busy");
    let labels = [(text.clone(), "1".to_owned())].into();
    let usage = Usage { input: Some(u64::MAX), output: Some(n.into()), ..Usage::default() };
    match kind {
        0 => ChatEvent::Created { owner: by, title: Some(text), model: some_model, workspace_id: Some(workspace_id), labels },
        1 | 2 => ChatEvent::PromptSubmitted { message_id, by, content },
        3 | 4 => ChatEvent::PromptQueued { queued_id, by, content, delivery: Delivery::NextStep, model: some_model },
        5 => ChatEvent::QueuedPromptDelivered { queued_id, message_id, by, content },
        6 => ChatEvent::QueuedPromptPromoted { queued_id },
        7..=9 => ChatEvent::TurnRequested { turn_id, by, model: some_model },
        10 => ChatEvent::TurnClaimed { turn_id, worker: WorkerId(id) },
        11 => ChatEvent::InterruptRequested { turn_id, by },
        12 => ChatEvent::TurnFailed { turn_id, failure },
        13 => ChatEvent::ModelCallStarted { model_call_id, turn_id, step: 1, attempt: 1, model, request_sha256: text },
        14..=16 => {
            let reasoning =
                AssistantPart::Reasoning { text: text.clone(), signature: n.is_multiple_of(2).then(|| text.clone()) };
            let opaque = AssistantPart::Opaque { dialect: "x".into(), data: text };
            let parts = vec![reasoning, AssistantPart::ToolCall(call), opaque];
            ChatEvent::ModelCallCompleted { model_call_id, model, parts, usage, stop_reason: StopReason::ToolUse }
        }
        17 => ChatEvent::ModelCallFailed { model_call_id, failure, partial: Vec::new(), usage },
        18 => ChatEvent::ModelCallRetryScheduled { attempt: 2, at: Timestamp(i64::MAX - i64::from(n)) },
        19 | 20 => ChatEvent::ToolCallRequested { model_call_id, call },
        21 => ChatEvent::ToolCallDispatched { tool_call_id },
        22 | 23 => {
            let output = ToolOutput::Blob { sha256: text, bytes: u64::MAX };
            ChatEvent::ToolCallCompleted { tool_call_id, result: ToolResult { outcome: ToolOutcome::Unknown, output } }
        }
        24 => ChatEvent::ToolCallCancelled { tool_call_id, reason: text },
        25 => ChatEvent::WorkspaceAttached { workspace_id },
        26 => ChatEvent::Labelled { labels },
        27 => ChatEvent::Pinned,
        28 => ChatEvent::Archived,
        _ => ChatEvent::TurnCompleted { turn_id },
    }
}

async fn any_chat_survives_its_snapshot(fixture: Fixture) {
    let log = fixture.open().await;
    let mut runner = TestRunner::deterministic();
    let histories = vec(vec((0..30u8, any::<u8>(), any::<String>()), 1..30), 1..6);
    for _ in 0..16 {
        let id = Uuid::now_v7();
        for happenings in histories.new_tree(&mut runner).unwrap().current() {
            let events = happenings.into_iter().map(|(kind, n, text)| {
                let event = happened(kind, n, text);
                let payload = serde_json::to_vec(&event).unwrap().into();
                NewEvent { event_type: event.event_type().into(), event_version: event.event_version().into(), payload }
            });
            let stream = StreamId::new("chat", id.to_string());
            log.append(Append { events: events.collect(), ..append(&stream, "") }).await.unwrap();
            // Each load leaves a snapshot, from which the next one goes on.
            let aggregates = Aggregates::<Chat>::new(log.clone()).snapshot_every(1);
            assert_eq!(loaded(&aggregates, id).await, folded(&log, id).await);
            settled(&log).await;
            assert_eq!(loaded(&Aggregates::<Chat>::new(log.clone()), id).await, folded(&log, id).await);
        }
    }
    let stats = log.stats();
    assert_eq!(stats.events_loaded, stats.events, "every event was read for one load only");
    assert_eq!((stats.snapshots_failed, stats.snapshots_written), (0, stats.appends));
}
