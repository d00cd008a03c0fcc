//! What a recording means, compared with what the provider's own SDK made of the same bytes.

use crate::{
    decoding::{Folded, fold, fold_all, whole},
    recording::{Recording, answers, recordings},
};
use docket_domain::{
    failure::FailureClass,
    usage::{StopReason, Usage},
};
use docket_providers::Protocol;
use serde_json::{Value, json};

fn expected_end(recording: &Recording) -> Result<StopReason, FailureClass> {
    match recording.name.as_str() {
        "anthropic/spliced-api-error-midstream" | "openai-chat/spliced-server-error-midstream" => Err(FailureClass::Provider),
        "anthropic/spliced-overloaded-first-frame" => Err(FailureClass::Overloaded),
        "anthropic/spliced-cut-mid-frame" => Err(FailureClass::Truncated),
        "compat/groq-error-in-stream" => Err(FailureClass::Provider),
        "compat/openrouter-error-in-stream" => Err(FailureClass::Configuration),
        "openai-chat/refusal" | "openai-responses/refusal" => Ok(StopReason::Refusal),
        "openai-responses/vercel-error-insufficient-quota" => Err(FailureClass::Quota),
        "gemini/spliced-unavailable-midstream" => Err(FailureClass::Overloaded),
        "bedrock/spliced-throttling-midstream" => Err(FailureClass::RateLimit),
        "bedrock/spliced-bad-crc" => Err(FailureClass::Truncated),
        // The last of four answers; the SDK has the calls of the others too.
        "azure/vercel-responses-reasoning-encrypted" => Ok(StopReason::EndOfTurn),
        name => {
            let expected = &recording.expected;
            assert_eq!(expected["complete"], true, "{name}");
            // Neither of these has a reason for tool calls; whether there were any says it. A custom tool's are not ours.
            let calls = expected["tool_calls"].as_array().into_iter().flatten();
            let called = calls.filter(|call| call["type"] != "custom_tool_call").count() > 0;
            Ok(match expected["stop_reason"].as_str().unwrap() {
                "completed" | "STOP" if called => StopReason::ToolUse,
                "end_turn" | "stop_sequence" | "stop" | "completed" | "STOP" => StopReason::EndOfTurn,
                "tool_use" | "tool_calls" => StopReason::ToolUse,
                "max_tokens" | "length" | "MAX_TOKENS" => StopReason::MaxTokens,
                "incomplete" if expected["incomplete_reason"] == "max_output_tokens" => StopReason::MaxTokens,
                "refusal" | "guardrail_intervened" => StopReason::Refusal,
                other => panic!("{name}: {other}"),
            })
        }
    }
}

fn expected_usage(recording: &Recording) -> Usage {
    let count = |path: &str| recording.expected["usage"].pointer(path).and_then(Value::as_u64);
    let without = |total: Option<u64>, cached: Option<u64>| total.map(|total| total - cached.unwrap_or(0));
    match recording.protocol {
        Protocol::AnthropicMessages => Usage {
            input: count("/input_tokens"),
            cache_read: count("/cache_read_input_tokens"),
            cache_write: count("/cache_creation_input_tokens"),
            output: count("/output_tokens"),
            reasoning: count("/output_tokens_details/thinking_tokens"),
        },
        Protocol::OpenAiResponses => Usage {
            input: without(count("/input_tokens"), count("/input_tokens_details/cached_tokens")),
            cache_read: count("/input_tokens_details/cached_tokens"),
            cache_write: count("/input_tokens_details/cache_write_tokens"),
            output: count("/output_tokens"),
            reasoning: count("/output_tokens_details/reasoning_tokens"),
        },
        Protocol::OpenAiChat => Usage {
            input: without(count("/prompt_tokens"), count("/prompt_tokens_details/cached_tokens")),
            cache_read: count("/prompt_tokens_details/cached_tokens"),
            cache_write: count("/prompt_tokens_details/cache_write_tokens"),
            output: count("/completion_tokens"),
            reasoning: count("/completion_tokens_details/reasoning_tokens"),
        },
        Protocol::Gemini => {
            let (said, thought) = (count("/candidates_token_count"), count("/thoughts_token_count"));
            let read = without(count("/prompt_token_count"), count("/cached_content_token_count"));
            Usage {
                input: read.map(|read| read + count("/tool_use_prompt_token_count").unwrap_or(0)),
                cache_read: count("/cached_content_token_count"),
                cache_write: None,
                output: said.or(thought).map(|_| said.unwrap_or(0) + thought.unwrap_or(0)),
                reasoning: thought,
            }
        }
        Protocol::BedrockConverse => Usage {
            input: count("/inputTokens"),
            cache_read: count("/cacheReadInputTokens"),
            cache_write: count("/cacheWriteInputTokens"),
            output: count("/outputTokens"),
            reasoning: None,
        },
        Protocol::Scripted => panic!("nothing of it was recorded"),
    }
}

/// The calls as the SDK gives them, in one form.
fn expected_calls(recording: &Recording) -> Vec<Value> {
    let all = recording.expected["tool_calls"].as_array().cloned().unwrap_or_default();
    let one = |call: &Value| json!({"id": call["id"], "name": call["name"], "arguments": call["arguments"]});
    match recording.protocol {
        // Gemini gives the input as an object, and older models give no id. What it streams value by value the SDK leaves
        // in pieces; see the test below.
        Protocol::Gemini => {
            let begun = all.iter().filter(|call| !call["name"].is_null());
            begun.map(|call| json!({"id": call["id"], "name": call["name"], "arguments": call["args"]})).collect()
        }
        _ => all.iter().filter(|call| call["type"] != "custom_tool_call").map(one).collect(),
    }
}

fn assert_calls(recording: &Recording, got: &Folded) {
    let name = &recording.name;
    let calls = got.calls.iter().map(|(_, id, name, input)| json!({"id": id, "name": name, "arguments": input}));
    if recording.protocol != Protocol::Gemini {
        return assert_eq!(calls.collect::<Vec<_>>(), expected_calls(recording), "{name}");
    }
    let expected = expected_calls(recording);
    assert_eq!(got.calls.len(), expected.len(), "{name}");
    for (n, ((_, id, called, input), expected)) in got.calls.iter().zip(expected).enumerate() {
        assert_eq!(id, expected["id"].as_str().unwrap_or(&format!("call_{n}")), "{name}");
        assert_eq!(called, expected["name"].as_str().unwrap(), "{name}");
        let input: Value = serde_json::from_str(input).unwrap();
        assert!(expected["arguments"].is_null() || input == expected["arguments"], "{name}: {input}");
    }
}

/// Server tools, redacted reasoning and the like, whole.
fn assert_opaque(recording: &Recording, got: &Folded) {
    let (name, expected) = (&recording.name, &recording.expected);
    let list = |field: &str| expected[field].as_array().cloned().unwrap_or_default();
    let count = |field: &str| expected[field].as_u64().unwrap_or(0) as usize;
    let has = |at: &'static str| move |block: &&Value| block.pointer(at).is_some_and(|value| !value.is_null());
    let of = |kind: &'static str| move |block: &&Value| block["type"] == kind;
    match recording.protocol {
        Protocol::AnthropicMessages => {
            let redacted = got.opaque.iter().filter(of("redacted_thinking")).map(|block| block["data"].clone());
            assert_eq!(redacted.collect::<Vec<_>>(), list("redacted"), "{name}");
            let server: Vec<&Value> = got.opaque.iter().filter(|block| block["type"] != "redacted_thinking").collect();
            assert_eq!(server.len(), list("server_blocks").len(), "{name}");
            for (block, expected) in server.iter().zip(list("server_blocks")) {
                assert_eq!((&block["type"], &block["name"]), (&expected["type"], &expected["name"]), "{name}");
                if let Ok(input) = serde_json::from_str::<Value>(expected["arguments"].as_str().unwrap()) {
                    assert_eq!(block["input"], input, "{name}: the input of a server's tool is whole");
                }
            }
        }
        Protocol::OpenAiResponses => {
            let items: Vec<&Value> = got.opaque.iter().filter(of("reasoning")).collect();
            assert_eq!(items.len(), list("reasoning_items").len(), "{name}");
            for (item, expected) in items.iter().zip(list("reasoning_items")) {
                let encrypted = item["encrypted_content"].as_str().is_some_and(|content| !content.is_empty());
                assert_eq!((&item["id"], encrypted), (&expected["id"], expected["encrypted"] == true), "{name}");
                assert_eq!(item["summary"].as_array().unwrap().len() as u64, expected["summary_parts"], "{name}");
            }
            let phases = got.opaque.iter().filter(of("message")).map(|frame| frame["phase"].clone());
            assert_eq!(phases.collect::<Vec<_>>(), list("phases"), "{name}");
            let server = got.opaque.iter().filter(|item| item["type"].as_str().is_some_and(|kind| kind.contains('_')));
            let server: Vec<&Value> = server.filter(|item| item["type"] != "custom_tool_call").collect();
            assert_eq!(server.len(), list("server_blocks").len(), "{name}");
            for (item, expected) in server.iter().zip(list("server_blocks")) {
                assert_eq!((&item["type"], &item["id"]), (&expected["type"], &expected["id"]), "{name}");
            }
            let custom = got.opaque.iter().filter(of("custom_tool_call")).map(|item| &item["input"]);
            let expected = list("tool_calls");
            let expected = expected.iter().filter(of("custom_tool_call")).map(|call| &call["arguments"]);
            assert_eq!(custom.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
        }
        Protocol::Gemini => {
            let signed = got.opaque.iter().filter(has("/thoughtSignature")).count() + usize::from(!got.signature.is_empty());
            assert_eq!(signed, count("signature_count"), "{name}");
            let kinds = ["executableCode", "codeExecutionResult"];
            let server = got.opaque.iter().filter(|part| kinds.iter().any(|kind| part.get(kind).is_some()));
            assert_eq!(server.count(), list("server_blocks").len(), "{name}");
        }
        Protocol::BedrockConverse => {
            let redacted = got.opaque.iter().filter(has("/reasoningContent/redactedContent"));
            assert_eq!(redacted.count(), count("redacted_count"), "{name}");
            assert_eq!(usize::from(!got.signature.is_empty()), count("signature_count"), "{name}");
            let server = got.opaque.iter().filter(|block| block.get("reasoningContent").is_none());
            let server: Vec<&Value> = server.collect();
            assert_eq!(server.len(), list("server_blocks").len(), "{name}");
            for (block, expected) in server.iter().zip(list("server_blocks")) {
                if let Some(arguments) = expected["arguments"].as_str() {
                    assert_eq!(block["toolUse"]["toolUseId"], expected["id"], "{name}");
                    assert_eq!(block["toolUse"]["input"], serde_json::from_str::<Value>(arguments).unwrap(), "{name}");
                } else {
                    assert!(block["toolResult"]["content"].is_array(), "{name}");
                }
            }
        }
        Protocol::OpenAiChat | Protocol::Scripted => {}
    }
}

#[test]
fn recordings_mean_what_the_providers_say() {
    for recording in recordings() {
        let (name, expected) = (&recording.name, &recording.expected);
        let text = |field: &str| expected[field].as_str().unwrap_or_default();
        let answers: Vec<_> = answers(&recording).iter().map(whole).collect();
        let (_, before) = answers.split_last().unwrap();
        before.iter().for_each(|answer| assert_eq!(fold(answer).end, Some(Ok(StopReason::ToolUse)), "{name}"));
        let got = fold_all(&answers);
        assert_eq!(got.text, format!("{}{}", text("text"), text("refusal")), "{name}");
        assert_eq!(got.reasoning, text("reasoning"), "{name}");
        let signatures = expected["signatures"].as_array().cloned().unwrap_or_default();
        let signatures = signatures.iter().map(|entry| entry["signature"].as_str().unwrap().to_owned());
        if recording.protocol == Protocol::AnthropicMessages {
            assert_eq!(got.signature, signatures.collect::<String>(), "{name}");
        }
        assert_calls(&recording, &got);
        assert_eq!(got.end, Some(expected_end(&recording)), "{name}");
        if expected["usage"].is_object() {
            assert_eq!(got.usage, expected_usage(&recording), "{name}");
        }
        assert_opaque(&recording, &got);
    }
}

/// The SDK leaves arguments that are streamed value by value in pieces; here they are put together.
#[test]
fn arguments_that_are_streamed_value_by_value_come_whole() {
    let recording = recordings().into_iter().find(|one| one.name == "gemini/vercel-vertex-partial-args-nested").unwrap();
    let got = fold(&whole(&recording));
    let input: Value = serde_json::from_str(&got.calls[0].3).unwrap();
    assert_eq!(input["recipe"]["name"], "Lasagna");
    assert_eq!(input["recipe"]["ingredients"].as_array().unwrap().len(), 10);
    assert_eq!(input["recipe"]["ingredients"][9], json!({"amount": "1/2 tsp", "name": "Pepper"}));
    let second = "Cook lasagna noodles according to package directions, drain and set aside.";
    assert_eq!(input["recipe"]["steps"][1], second, "a value that came in two pieces");
    assert_eq!(input["recipe"]["steps"].as_array().unwrap().len(), 10);
}
