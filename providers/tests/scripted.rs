//! The built-in model, played through.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart, ToolDefinition, ToolOutcome, ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    ids::{MessageId, ModelCallId},
    model_call::{Assembly, ModelCallEvent},
    usage::StopReason,
};
use docket_providers::{Decoder, Limits, ModelRequest, ModelStream, Protocol, Providers};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use uuid::Uuid;

const TOOLS: [&str; 5] = ["list_templates", "create_workspace", "write_file", "execute", "read_file"];

fn user(text: &str) -> Message {
    Message::User { id: MessageId(Uuid::nil()), content: vec![PromptPart::Text { text: text.to_owned() }] }
}

async fn send(model: &str, tools: &[&str], messages: &[Message]) -> Result<ModelStream, Failure> {
    let providers = Providers::from_env(|_| None).unwrap();
    let tool =
        |name: &&str| ToolDefinition { name: (*name).to_owned(), description: String::new(), input_schema: "{}".to_owned() };
    let (model, tools, outputs) = (model.parse().unwrap(), tools.iter().map(tool).collect::<Vec<_>>(), HashMap::new());
    let request =
        ModelRequest { model: &model, system: "s", messages, outputs: &outputs, tools: &tools, max_output_tokens: None };
    providers.send(&providers.encode(&request).unwrap()).await
}

async fn events(tools: &[&str], messages: &[Message]) -> Vec<ModelCallEvent> {
    let mut stream = send("scripted/guided", tools, messages).await.unwrap();
    let mut events = Vec::new();
    while let Some(frame) = stream.next().await {
        events.extend(frame);
    }
    let mut again = Decoder::new(Protocol::Scripted, &Limits::default());
    again.push(stream.raw());
    let replayed: Vec<_> = std::iter::from_fn(|| again.next_frame()).flatten().collect();
    assert_eq!(replayed, events, "the raw response decodes to the same");
    events
}

/// One answer, as the message that it adds to the conversation.
async fn answer(tools: &[&str], messages: &[Message]) -> (Vec<AssistantPart>, Assembly) {
    let mut assembly = Assembly::default();
    let id = ModelCallId(Uuid::from_u128(messages.len() as u128));
    events(tools, messages).await.iter().for_each(|event| assembly.add(id, event));
    (assembly.parts(), assembly)
}

fn said(parts: &[AssistantPart]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        AssistantPart::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn calls(parts: &[AssistantPart]) -> Vec<(String, Value)> {
    let calls = parts.iter().filter_map(|part| match part {
        AssistantPart::ToolCall(call) => Some((call.name.clone(), serde_json::from_str(&call.input).unwrap())),
        _ => None,
    });
    calls.collect()
}

/// Runs the loop with tools that are played; returns the calls and the last answer.
async fn play(
    tools: &[&str],
    prompt: &str,
    tool: impl Fn(&str, &Value) -> (ToolOutcome, String),
) -> (Vec<(String, Value)>, String) {
    let mut messages = vec![user(prompt)];
    let mut made = Vec::new();
    for _ in 0..10 {
        let (parts, assembly) = answer(tools, &messages).await;
        let now = calls(&parts);
        if now.is_empty() {
            assert_eq!(assembly.stop_reason, Some(StopReason::EndOfTurn));
            return (made, said(&parts));
        }
        assert_eq!(assembly.stop_reason, Some(StopReason::ToolUse));
        let results = now.iter().map(|(name, input)| {
            let (outcome, text) = tool(name, input);
            Some(ToolResult { outcome, output: ToolOutput::Inline { text } })
        });
        let (results, model) = (results.collect(), "scripted/guided".parse().unwrap());
        messages.push(Message::Assistant { model_call_id: ModelCallId(Uuid::nil()), model, parts, results });
        made.extend(now);
    }
    panic!("it does not end");
}

fn workspace(name: &str, _: &Value) -> (ToolOutcome, String) {
    let output = match name {
        "list_templates" => json!({"templates": [{"id": "t-1", "name": "local"}]}),
        "create_workspace" => json!({"created": true, "directory": "/home/ws/"}),
        "execute" => json!({"exit_code": 0, "output": "Hello from a workspace of Docket.\n"}),
        _ => json!({"ok": true}),
    };
    (ToolOutcome::Ok, output.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_guided_task_goes_all_the_way() {
    let (made, end) = play(&TOOLS, "Show me something", workspace).await;
    let names: Vec<&str> = made.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, TOOLS);
    assert_eq!(made[1].1, json!({"template_id": "t-1"}));
    assert_eq!(made[2].1["path"], "/home/ws/hello-docket.sh");
    assert_eq!(made[3].1, json!({"command": "sh '/home/ws/hello-docket.sh'"}));
    assert_eq!(made[4].1, json!({"path": "/home/ws/hello-docket.sh"}));
    assert!(end.contains("Show me something") && end.contains("Hello from a workspace of Docket."), "{end}");
}

#[tokio::test(start_paused = true)]
async fn the_guided_task_says_why_it_stops() {
    let (_, end) = play(&TOOLS[..3], "x", workspace).await;
    assert!(end.contains("the tool execute, which I am not offered"), "{end}");
    let denied = |_: &str, _: &Value| (ToolOutcome::Error, "not allowed".to_owned());
    let (made, end) = play(&TOOLS, "x", denied).await;
    assert!(made.len() == 1 && end.contains("list_templates did not succeed (error): not allowed"), "{end}");
    let nothing = |_: &str, _: &Value| (ToolOutcome::Ok, "[]".to_owned());
    assert!(play(&TOOLS, "x", nothing).await.1.contains("no template"));
    let (made, end) = play(&[], "Sum it up", workspace).await;
    assert!(made.is_empty() && end.contains("Sum it up"));
    let (made, _) = play(&TOOLS[2..], "a sub-agent", workspace).await;
    assert_eq!(made[0].1["path"], "hello-docket.sh");
}

#[tokio::test]
async fn directives_are_followed() {
    let prompt = "A remark.\n@think so so\n@say one two\n@call execute {\"a\": 1}\n@call nope {broken\n@step\n@tokens 3\n@usage 9\n@stop max_tokens";
    let first = vec![user(prompt)];
    let (parts, assembly) = answer(&TOOLS, &first).await;
    assert_eq!(parts[0], AssistantPart::Reasoning { text: "so so".to_owned(), signature: None });
    assert_eq!(parts[1], AssistantPart::Text { text: "one two".to_owned() });
    let [AssistantPart::ToolCall(one), AssistantPart::ToolCall(two)] = &parts[2..] else { panic!("{parts:?}") };
    assert_eq!((one.name.as_str(), one.input.as_str(), one.provider_id.as_str()), ("execute", "{\"a\": 1}", "call_0_0"));
    assert_eq!((two.name.as_str(), two.input.as_str(), two.provider_id.as_str()), ("nope", "{broken", "call_0_1"));
    assert_eq!(assembly.stop_reason, Some(StopReason::ToolUse));
    let result = Some(ToolResult { outcome: ToolOutcome::Ok, output: ToolOutput::Inline { text: "42".to_owned() } });
    let model: docket_domain::model_name::ModelName = "scripted/guided".parse().unwrap();
    let results = vec![result, None];
    let mut messages = first;
    messages.push(Message::Assistant { model_call_id: ModelCallId(Uuid::nil()), model, parts, results });
    let second = events(&TOOLS, &messages).await;
    let text = |word: &str, index| ModelCallEvent::TextStreamed { index, block: 0, text: word.to_owned() };
    assert_eq!(second[..3], [text("word1 ", 0), text("word2 ", 1), text("word3", 2)]);
    let (_, assembly) = answer(&TOOLS, &messages).await;
    assert_eq!(
        (assembly.stop_reason, assembly.usage.input, assembly.usage.output),
        (Some(StopReason::MaxTokens), Some(9), Some(3))
    );
    messages.push(messages[1].clone());
    let (parts, _) = answer(&TOOLS, &messages).await;
    assert_eq!(said(&parts), "The script is at its end.\nexecute (ok): 42\nnope: no result");
}

#[tokio::test]
async fn failures_come_where_the_script_wants_them() {
    let refused = send("scripted/guided", &[], &[user("@pace 1\n@fail rate_limit slow down")]).await.unwrap_err();
    assert_eq!(refused, Failure::new(FailureClass::RateLimit, "slow down"));
    let broken = events(&[], &[user("@say half\n@fail overloaded")]).await;
    assert!(
        matches!(&broken[..], [ModelCallEvent::TextStreamed { .. }, ModelCallEvent::Failed { failure, .. }] if failure.class == FailureClass::Overloaded)
    );
    let long = user(&"x".repeat(40_000));
    assert_eq!(
        send("scripted/small", &[], std::slice::from_ref(&long)).await.unwrap_err().class,
        FailureClass::ContextOverflow
    );
    assert!(send("scripted/guided", &[], &[long]).await.is_ok());
    assert_eq!(send("scripted/other", &[], &[user("x")]).await.unwrap_err().class, FailureClass::Configuration);
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_kept_and_cancelling_loses_nothing() {
    let begun = tokio::time::Instant::now();
    let mut stream = send("scripted/guided", &[], &[user("@pace 100\n@tokens 20")]).await.unwrap();
    let mut events = 0;
    loop {
        // Given up and taken up again several times a delta.
        tokio::select! {
            frame = stream.next() => match frame {
                Some(frame) => events += frame.len(),
                None => break,
            },
            () = tokio::time::sleep(Duration::from_millis(30)) => {}
        }
    }
    assert_eq!((events, begun.elapsed()), (22, Duration::from_secs(2)));
}

#[tokio::test]
async fn without_configuration_it_is_the_default() {
    let providers = Providers::from_env(|_| None).unwrap();
    assert_eq!(providers.names(), ["scripted"]);
    assert_eq!(providers.default_model().await.to_string(), "scripted/guided");
    let lists = providers.models().await;
    let models = lists[0].models.as_ref().unwrap();
    assert_eq!((models[0].name.to_string(), models[0].context_window), ("scripted/guided".to_owned(), Some(200_000)));
}
