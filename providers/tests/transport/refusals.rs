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
    let url = format!("http://{address}");
    let everybody = [
        ("ANTHROPIC_API_KEY", KEY),
        ("ANTHROPIC_BASE_URL", &*url),
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_BASE_URL", &*url),
        ("GEMINI_API_KEY", KEY),
        ("GOOGLE_GEMINI_BASE_URL", &*url),
        ("AZURE_OPENAI_API_KEY", KEY),
        ("AZURE_OPENAI_ENDPOINT", &*url),
        ("AWS_BEARER_TOKEN_BEDROCK", KEY),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &*url),
    ];
    let failure = send(&providers(&everybody, limits()), model).await.unwrap_err();
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
        ("openai-responses/error-400-bad-model", "openai/m", FailureClass::Configuration),
        ("gemini/error-400-context-overflow", "gemini/m", FailureClass::ContextOverflow),
        ("gemini/error-404", "gemini/m", FailureClass::Configuration),
        ("gemini/error-429-quota", "gemini/m", FailureClass::RateLimit),
        ("azure/error-404-deployment", "azure/m", FailureClass::Configuration),
        ("azure/error-429-rate-limit", "azure/m", FailureClass::RateLimit),
        ("bedrock/error-400-context-overflow", "bedrock/m", FailureClass::ContextOverflow),
        ("bedrock/error-400-model", "bedrock/m", FailureClass::Configuration),
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
        // Gemini says in the body how long to wait.
        let wait = (name == "gemini/error-429-quota").then_some(48_000);
        assert!(wait.is_none() || failure.retry_after_ms == wait, "{name}: {:?}", failure.retry_after_ms);
    }
}

/// What is documented, but in no recording.
#[tokio::test]
async fn documented_errors_get_their_class() {
    let json: &[(&str, &str)] = &[("content-type", "application/json")];
    let filtered =
        r#"{"error":{"code":"content_filter","message":"filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    assert_eq!(refusal("azure/m", "400 X", json, filtered).await.class, FailureClass::ContentFilter);
    let key = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    assert_eq!(refusal("gemini/m", "400 X", json, key).await.class, FailureClass::Auth);
    let daily = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"11s"}]}}"#;
    let failure = refusal("gemini/m", "429 X", json, daily).await;
    assert_eq!((failure.class, failure.retry_after_ms), (FailureClass::Quota, Some(11_000)));
    for (name, status, class) in [
        ("ThrottlingException:http://internal/", "429 X", FailureClass::RateLimit),
        ("ModelNotReadyException", "429 X", FailureClass::Overloaded),
        ("ServiceUnavailableException", "503 X", FailureClass::Overloaded),
        ("ExpiredTokenException", "403 X", FailureClass::Auth),
        ("AccessDeniedException", "403 X", FailureClass::Auth),
        ("ModelTimeoutException", "408 X", FailureClass::Timeout),
        ("ModelErrorException", "424 X", FailureClass::Provider),
        ("ServiceQuotaExceededException", "400 X", FailureClass::Quota),
        ("InternalServerException", "500 X", FailureClass::Provider),
    ] {
        let failure = refusal("bedrock/m", status, &[("x-amzn-errortype", name)], r#"{"message":"no"}"#).await;
        let short = name.split(':').next().unwrap();
        assert_eq!((failure.class, failure.message), (class, format!("bedrock: no ({short})")), "{name}");
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
