//! Failures before the first byte of an answer.

use super::document;
use crate::{
    endpoint::Endpoint,
    failure::{ErrorBody, retry_after_ms},
    limits::Limits,
};
use docket_domain::failure::{Failure, FailureClass};
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;
use std::error::Error;

/// The failure that a response is, if it is not a stream of events: an error status, or a document with status 200, since
/// some servers report errors like that.
pub(crate) async fn refused(endpoint: &Endpoint, limits: &Limits, response: &mut Response) -> Option<Failure> {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_ascii_lowercase);
    // Servers that send no content type at all exist; the decoder finds out what it is.
    if status.is_success() && kind.as_deref().is_none_or(|kind| kind.starts_with(endpoint.protocol.content_type())) {
        return None;
    }
    let retry_after = retry_after_ms(response.headers());
    let should_retry = response.headers().get("x-should-retry").map(|value| value.as_bytes() == b"true");
    let body = document(response, limits.document_bytes, limits.silence).await;
    let mut failure = if status.is_success() {
        let error = serde_json::from_slice::<Value>(&body).ok().as_ref().and_then(ErrorBody::find);
        error.map_or_else(
            || {
                let kind: String = kind.unwrap_or_default().chars().take(100).collect();
                Failure::new(FailureClass::Provider, format!("answered with {kind} where a stream of events was due"))
            },
            |error| error.failure(None),
        )
    } else if status.is_redirection() {
        Failure::new(FailureClass::Configuration, "redirects to another address, which is not followed with a key in hand")
    } else {
        let error = ErrorBody::from_bytes(&body);
        // Amazon's name of the error is not in the body.
        let name = response.headers().get("x-amzn-errortype").and_then(|name| name.to_str().ok());
        let name = name.and_then(|name| name.split(':').next()).unwrap_or_default();
        error.with_code(name).failure(Some(status.as_u16()))
    };
    failure.status = Some(status.as_u16()).filter(|_| !status.is_success()).or(failure.status);
    failure.retry_after_ms = retry_after.or(failure.retry_after_ms);
    failure.class = advised(failure.class, should_retry);
    Some(Failure {
        status: failure.status,
        retry_after_ms: failure.retry_after_ms,
        ..Failure::new(failure.class, endpoint.auth().redact(&format!("{}: {}", endpoint.name, failure.message)))
    })
}

/// Anthropic and OpenAI say outright whether another try makes sense. A limit that does not pass is a matter of quota; a
/// refusal that does is the provider's fault.
fn advised(class: FailureClass, should_retry: Option<bool>) -> FailureClass {
    match (should_retry, class) {
        (Some(false), FailureClass::RateLimit) => FailureClass::Quota,
        (Some(true), FailureClass::Configuration) => FailureClass::Provider,
        _ => class,
    }
}

/// No response at all. The URL is left out of the message: it is the operator's, not the user's.
pub(crate) fn unreachable(endpoint: &Endpoint, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    let mut message = format!("{}: {what}: {error}", endpoint.name);
    let mut cause = error.source();
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    Failure::new(FailureClass::Timeout, endpoint.auth().redact(&message))
}
