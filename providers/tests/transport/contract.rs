//! The same scenario for every provider, against a server that answers with recordings.

use crate::{
    KEY, all, failure, hello, limits, providers, send,
    server::{canned, chunk, request, response_bytes, serve},
};
use docket_domain::{
    failure::FailureClass,
    model_call::ModelCallEvent,
    usage::{StopReason, Usage},
};
use docket_providers::{Decoder, Limits, Providers};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

/// One provider and what was recorded of it.
struct Contract {
    variables: &'static [(&'static str, &'static str)],
    /// The variable that says where it is.
    base: &'static str,
    model: &'static str,
    path: &'static str,
    /// How the key is sent.
    key: &'static str,
    text: &'static str,
    parallel: &'static str,
    reasoning: &'static str,
    /// With tokens that were read from its cache.
    cache: Option<&'static str>,
    broken: (&'static str, FailureClass),
    overflow: &'static str,
}

const CONTRACTS: [Contract; 6] = [
    Contract {
        variables: &[("ANTHROPIC_API_KEY", KEY)],
        base: "ANTHROPIC_BASE_URL",
        model: "anthropic/m",
        path: "/v1/messages",
        key: "x-api-key: sk-very-secret-key\r\n",
        text: "anthropic/text-haiku45.sse",
        parallel: "anthropic/parallel-tools.sse",
        reasoning: "anthropic/thinking-sonnet4.sse",
        cache: Some("anthropic/cache-read.sse"),
        broken: ("anthropic/spliced-api-error-midstream.sse", FailureClass::Provider),
        overflow: "anthropic/error-400-context-overflow.json",
    },
    Contract {
        variables: &[("OPENAI_API_KEY", KEY), ("OPENAI_WIRE_API", "responses")],
        base: "OPENAI_BASE_URL",
        model: "openai/gpt-5",
        path: "/v1/responses",
        key: "authorization: Bearer sk-very-secret-key\r\n",
        text: "openai-responses/text.sse",
        parallel: "openai-responses/parallel-tools.sse",
        reasoning: "openai-responses/reasoning-tool-gpt5.sse",
        cache: Some("openai-responses/web-search.sse"),
        broken: ("openai-responses/vercel-error-insufficient-quota.chunks.jsonl", FailureClass::Quota),
        // OpenAI's errors are the same in both of its protocols.
        overflow: "openai-chat/error-400-context-overflow.json",
    },
    Contract {
        variables: &[("OPENAI_API_KEY", KEY)],
        base: "OPENAI_BASE_URL",
        model: "openai/m",
        path: "/v1/chat/completions",
        key: "authorization: Bearer sk-very-secret-key\r\n",
        text: "compat/llamacpp-gptoss-text.sse",
        parallel: "compat/llamacpp-qwen3-parallel.sse",
        reasoning: "compat/deepseek-reasoner.sse",
        cache: Some("openai-chat/cached-usage.sse"),
        broken: ("compat/groq-error-in-stream.sse", FailureClass::Provider),
        overflow: "compat/llamacpp-context-overflow.json",
    },
    Contract {
        variables: &[("GEMINI_API_KEY", KEY)],
        base: "GOOGLE_GEMINI_BASE_URL",
        model: "gemini/gemini-3-pro",
        path: "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
        key: "x-goog-api-key: sk-very-secret-key\r\n",
        text: "gemini/text.sse",
        parallel: "gemini/parallel-tools-gemini3.sse",
        reasoning: "gemini/thinking.sse",
        cache: Some("gemini/cached-usage.sse"),
        broken: ("gemini/spliced-unavailable-midstream.sse", FailureClass::Overloaded),
        overflow: "gemini/error-400-context-overflow.json",
    },
    Contract {
        variables: &[("AZURE_OPENAI_API_KEY", KEY)],
        base: "AZURE_OPENAI_ENDPOINT",
        model: "azure/deployment",
        path: "/openai/v1/responses",
        key: "api-key: sk-very-secret-key\r\n",
        text: "azure/responses-text.sse",
        parallel: "openai-responses/parallel-tools.sse",
        reasoning: "azure/responses-reasoning-encrypted.sse",
        cache: None,
        broken: ("openai-responses/vercel-error-insufficient-quota.chunks.jsonl", FailureClass::Quota),
        overflow: "openai-chat/error-400-context-overflow.json",
    },
    Contract {
        variables: &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", KEY), ("AWS_REGION", "eu-west-1")],
        base: "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        model: "bedrock/us.amazon.nova-pro-v1:0",
        path: "/model/us.amazon.nova-pro-v1%3A0/converse-stream",
        key: "authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
        text: "bedrock/converse-text-nova.bin",
        parallel: "bedrock/converse-two-tools-nova.bin",
        reasoning: "bedrock/converse-thinking-claude.bin",
        cache: None,
        broken: ("bedrock/spliced-throttling-midstream.bin", FailureClass::RateLimit),
        overflow: "bedrock/error-400-context-overflow.json",
    },
];

impl Contract {
    fn providers(&self, address: &str, limits: Limits) -> Providers {
        let url = format!("http://{address}");
        providers(&[self.variables, &[(self.base, url.as_str())]].concat(), limits)
    }

    fn head(&self) -> [(&'static str, &'static str); 2] {
        let bedrock = self.model.starts_with("bedrock/");
        let kind = if bedrock { "application/vnd.amazon.eventstream" } else { "text/event-stream; charset=utf-8" };
        [("content-type", kind), (if bedrock { "x-amzn-requestid" } else { "x-request-id" }, "req_7")]
    }

    /// What comes of a recording that is answered with, and all that has to hold for it.
    async fn answered(&self, recording: &str) -> Vec<ModelCallEvent> {
        let bytes = bytes(recording);
        let (address, requests) = canned(response_bytes("200 OK", &self.head(), &bytes)).await;
        let providers = self.providers(&address, limits());
        let mut stream = send(&providers, self.model).await.unwrap();
        let events = all(&mut stream).await;
        assert_eq!(stream.request_id(), Some("req_7"), "{recording}");
        // What was kept says the same when it is decoded again.
        assert!(bytes.starts_with(stream.raw()) && !stream.raw_is_cut(), "{recording}");
        let provider = self.model.split('/').next().unwrap();
        let mut decoder = Decoder::new(providers.protocol(provider).unwrap(), &Limits::default());
        decoder.push(stream.raw());
        let mut again: Vec<_> = std::iter::from_fn(|| decoder.next_frame()).flatten().collect();
        again.extend(decoder.end().into_iter().flatten());
        assert_eq!(again, events, "{recording}");
        let requests = requests.lock().await;
        assert!(requests[0].starts_with(&format!("POST {} HTTP/1.1\r\n", self.path)), "{}", requests[0]);
        assert!(requests[0].contains(self.key) && requests[0].contains("content-type: application/json\r\n"));
        assert!(requests[0].ends_with(std::str::from_utf8(&hello(&providers, self.model).body()).unwrap()));
        events
    }
}

/// A recording as the provider sends it.
fn bytes(recording: &str) -> Vec<u8> {
    let bytes = fixture(recording);
    if recording.ends_with(".jsonl") {
        let text = String::from_utf8(bytes).unwrap();
        return text.lines().map(|line| format!("data: {line}\n\n")).collect::<String>().into_bytes();
    }
    bytes
}

fn fixture(path: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)).unwrap()
}

fn stop(events: &[ModelCallEvent]) -> StopReason {
    match events.last() {
        Some(ModelCallEvent::Finished { stop_reason, .. }) => *stop_reason,
        other => panic!("{other:?}"),
    }
}

fn usage(events: &[ModelCallEvent]) -> Usage {
    let mut all = Usage::default();
    for event in events {
        if let ModelCallEvent::UsageReported { usage } = event {
            all.supersede(*usage);
        }
    }
    all
}

#[tokio::test]
async fn text_comes_with_its_usage_and_its_end() {
    for contract in &CONTRACTS {
        let events = contract.answered(contract.text).await;
        assert!(events.iter().any(|event| matches!(event, ModelCallEvent::TextStreamed { .. })), "{}", contract.model);
        assert_eq!(stop(&events), StopReason::EndOfTurn, "{}", contract.model);
        let usage = usage(&events);
        assert!(usage.input > Some(0) && usage.output > Some(0), "{}: {usage:?}", contract.model);
    }
}

#[tokio::test]
async fn parallel_tools_come_each_with_its_own_input() {
    for contract in &CONTRACTS {
        let events = contract.answered(contract.parallel).await;
        let mut calls: Vec<(u32, String)> = Vec::new();
        for event in &events {
            if let ModelCallEvent::ToolInputStreamed { block, text, call, .. } = event {
                if call.is_some() {
                    calls.push((*block, String::new()));
                }
                calls.iter_mut().find(|call| call.0 == *block).unwrap().1 += text;
            }
        }
        assert_eq!((calls.len(), stop(&events)), (2, StopReason::ToolUse), "{}", contract.model);
        for (_, input) in calls {
            assert!(serde_json::from_str::<Value>(&input).unwrap().is_object(), "{}: {input}", contract.model);
        }
    }
}

#[tokio::test]
async fn reasoning_comes_with_what_has_to_go_back() {
    for contract in &CONTRACTS {
        let events = contract.answered(contract.reasoning).await;
        let kept = events.iter().any(|event| {
            matches!(
                event,
                ModelCallEvent::ReasoningStreamed { signature: Some(_), .. }
                    | ModelCallEvent::OpaqueReceived { block: Some(_), .. }
            )
        });
        assert!(kept, "{}", contract.model);
    }
}

#[tokio::test]
async fn what_the_cache_gave_is_counted_apart() {
    for contract in &CONTRACTS {
        let Some(recording) = contract.cache else { continue };
        let usage = usage(&contract.answered(recording).await);
        assert!(usage.cache_read > Some(0) && usage.input.is_some(), "{}: {usage:?}", contract.model);
    }
}

#[tokio::test]
async fn an_error_in_the_stream_has_its_class_after_what_was_said() {
    for contract in &CONTRACTS {
        let (recording, class) = contract.broken;
        let events = contract.answered(recording).await;
        assert_eq!(failure(&events).0, class, "{}", contract.model);
    }
}

#[tokio::test]
async fn an_overflow_is_known_as_one() {
    for contract in &CONTRACTS {
        let meta = contract.overflow.replace(".json", ".meta.json");
        let meta: Value = serde_json::from_slice(&fixture(&meta)).unwrap();
        let headers = meta["response_headers"].as_object().unwrap();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let (address, _) = canned(response_bytes("400 Bad Request", &headers, &fixture(contract.overflow))).await;
        let failure = send(&contract.providers(&address, limits()), contract.model).await.unwrap_err();
        assert_eq!((failure.class, failure.status), (FailureClass::ContextOverflow, Some(400)), "{}", contract.model);
        assert!(!format!("{failure} {failure:?}").contains(KEY));
    }
}

#[tokio::test]
async fn silence_ends_the_call_and_dropping_it_closes_the_connection() {
    for contract in &CONTRACTS {
        let head = response_bytes("200 OK", &contract.head(), b"");
        let (closed, seen) = oneshot::channel();
        let closed = std::sync::Arc::new(std::sync::Mutex::new(Some(closed)));
        let address = serve(move |mut socket| {
            let (head, closed) = (head.clone(), closed.clone());
            async move {
                request(&mut socket).await;
                socket.write_all(&head).await.unwrap();
                // Ends when the client closes.
                let end = socket.read(&mut [0]).await;
                if let Some(closed) = closed.lock().unwrap().take() {
                    closed.send(matches!(end, Ok(0) | Err(_))).unwrap();
                }
            }
        });
        let guard = Limits { silence: Duration::from_millis(40), ..limits() };
        let events = all(&mut send(&contract.providers(&address.await, guard), contract.model).await.unwrap()).await;
        assert_eq!((events.len(), failure(&events).0), (1, FailureClass::Silence), "{}", contract.model);
        assert!(seen.await.unwrap(), "{}", contract.model);
    }
}

/// A chat protocol's stream is none of Bedrock's, and the other way round: what a wrong address answers is a failure.
#[tokio::test]
async fn another_protocols_answer_is_a_failure() {
    for contract in &CONTRACTS {
        let bedrock = contract.model.starts_with("bedrock/");
        let (kind, body) = if bedrock {
            ("text/event-stream", chunk("hi").into_bytes())
        } else {
            ("application/vnd.amazon.eventstream", fixture("bedrock/converse-text-nova.bin"))
        };
        let (address, _) = canned(response_bytes("200 OK", &[("content-type", kind)], &body)).await;
        let failure = send(&contract.providers(&address, limits()), contract.model).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Provider, "{}", contract.model);
    }
}
