//! Failures before an answer begins.

use crate::{
    KEY, all, at, limits, providers, send,
    server::{STREAM, canned, response, serve},
};
use docket_domain::failure::{Failure, FailureClass};
use serde_json::Value;
use std::{fs, path::PathBuf};
use tokio::io::AsyncWriteExt;

async fn refusal(model: &str, status: &str, headers: &[(&str, &str)], body: &str) -> Failure {
    let (address, _) = canned(response(status, headers, body)).await;
    let failure = send(&at(&address, limits()), model).await.unwrap_err();
    assert!(!format!("{failure} {failure:?}").contains(KEY));
    failure
}

#[tokio::test]
async fn recorded_errors_get_their_class() {
    let table = [
        ("anthropic/error-400-context-overflow", "anthropic/m", FailureClass::ContextOverflow),
        ("anthropic/error-404-model", "anthropic/m", FailureClass::Configuration),
        ("openai-chat/error-400-context-overflow", "openai/m", FailureClass::ContextOverflow),
        ("openai-chat/error-404-model", "openai/m", FailureClass::Configuration),
        ("compat/llamacpp-context-overflow", "openai/m", FailureClass::ContextOverflow),
        ("compat/openrouter-error-429", "openai/m", FailureClass::RateLimit),
    ];
    for (name, model, class) in table {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let body = fs::read_to_string(path.with_extension("json")).unwrap();
        let meta: Value = serde_json::from_slice(&fs::read(path.with_extension("meta.json")).unwrap()).unwrap();
        let status = meta["status"].as_u64().unwrap();
        let headers: Vec<(&str, &str)> = meta["response_headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let failure = refusal(model, &format!("{status} X"), &headers, &body).await;
        assert_eq!((failure.class, failure.status.map(u64::from)), (class, Some(status)), "{name}");
        assert!(failure.message.starts_with(model.split('/').next().unwrap()), "{}", failure.message);
    }
}

#[tokio::test]
async fn waits_and_advice_are_heeded() {
    let limited = r#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let failure = refusal("anthropic/m", "429 X", &[("retry-after", "7")], limited).await;
    assert_eq!((failure.class, failure.retry_after_ms, failure.status), (FailureClass::RateLimit, Some(7000), Some(429)));
    assert_eq!(failure.message, "anthropic: slow down (rate_limit_error)");
    let failure = refusal("anthropic/m", "429 X", &[("x-should-retry", "false")], limited).await;
    assert_eq!(failure.class, FailureClass::Quota, "a limit that does not pass");
    let failure = refusal("openai/m", "400 X", &[("x-should-retry", "true")], "odd").await;
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Provider, "openai: odd"));
    let failure = refusal("anthropic/m", "529 X", &[], r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#).await;
    assert_eq!(failure.class, FailureClass::Overloaded);
    let failure = refusal("openai/m", "502 X", &[("content-type", "text/html")], "<html>bad gateway</html>").await;
    assert_eq!(failure.class, FailureClass::Timeout);
}

#[tokio::test]
async fn a_document_in_place_of_a_stream_is_a_failure() {
    let json: &[(&str, &str)] = &[("content-type", "application/json")];
    let failure = refusal("openai/m", "200 OK", json, r#"{"error":{"code":"insufficient_quota","message":"no money"}}"#).await;
    assert_eq!((failure.class, failure.status), (FailureClass::Quota, None));
    let failure = refusal("openai/m", "200 OK", json, r#"{"error":"model is loading model weights, try again later"}"#).await;
    assert_eq!(failure.class, FailureClass::Overloaded);
    let failure = refusal("openai/m", "200 OK", &[("content-type", "text/html")], "<html>login</html>").await;
    assert_eq!(failure.class, FailureClass::Provider);
    assert_eq!(failure.message, "openai: answered with text/html where a stream of events was due");
}

#[tokio::test]
async fn secrets_and_redirects_go_nowhere() {
    let echo = format!(r#"{{"error":{{"type":"authentication_error","message":"bad key {KEY}"}}}}"#);
    let failure = refusal("openai/m", "401 X", &[], &echo).await;
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (FailureClass::Auth, "openai: bad key [redacted] (authentication_error)")
    );
    let stream = response("200 OK", STREAM, &format!("data: {echo}\n\n"));
    let (address, _) = canned(stream).await;
    let events = all(&mut send(&at(&address, limits()), "openai/m").await.unwrap()).await;
    assert_eq!(crate::failure(&events), (FailureClass::Auth, "bad key [redacted] (authentication_error)"));
    let (elsewhere, requests) = canned(response("200 OK", &[], "")).await;
    let failure = refusal("openai/m", "307 X", &[("location", &format!("http://{elsewhere}/v1"))], "").await;
    assert_eq!(failure.class, FailureClass::Configuration);
    assert!(requests.lock().await.is_empty());
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    // Bound and released, so nobody listens.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = send(&at(&free.to_string(), limits()), "openai/m").await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Timeout);
    assert!(failure.message.starts_with("openai: no connection"), "{}", failure.message);
    assert!(!failure.message.contains("http://"), "{}", failure.message);
    let plain = serve(|mut socket| async move { socket.write_all(b"this is no TLS").await.unwrap() }).await;
    let secure = providers(&[("OPENAI_BASE_URL", &format!("https://{plain}"))], limits());
    assert_eq!(send(&secure, "openai/m").await.unwrap_err().class, FailureClass::Timeout);
    let keyless = providers(&[("OPENAI_BASE_URL", "http://127.0.0.1:9")], limits());
    assert_eq!(keyless.names(), ["openai", "scripted"]);
}
