//! The error objects of all providers, read without assuming which one speaks.

use super::{
    classify::{self, Evidence},
    retry_after::duration_ms,
};
use docket_domain::failure::Failure;
use serde_json::Value;

/// How much of a body that is no known error object is shown, in characters.
const EXCERPT: usize = 300;

/// What an error body says. Known forms: `{"error":{type,code,message,…}}` (OpenAI, Anthropic, and nearly all others),
/// `{"error":{code,status,message,details}}` (Gemini), `{"error":"text"}` (ollama), `{"object":"error","message",…}` (vLLM),
/// `{"message"}` (Bedrock, gateways).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// The most specific first.
    codes: Vec<String>,
    message: String,
    /// A status that stands in the body: the only one there is when the error comes inside a stream.
    status: Option<u16>,
    /// What the body asks us to wait, in milliseconds.
    retry_after_ms: Option<u64>,
}

impl ErrorBody {
    /// Reads an error out of a JSON document; `None` if it holds none.
    pub(crate) fn find(document: &Value) -> Option<Self> {
        let error = match document.get("error") {
            Some(Value::Null) | None => {
                let bare = document.get("object").and_then(Value::as_str) == Some("error");
                return bare.then(|| Self::read(document));
            }
            Some(error) => error,
        };
        Some(Self::read(error))
    }

    /// Reads the body of an error response, whatever it is.
    pub(crate) fn from_bytes(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        match serde_json::from_str::<Value>(&text) {
            Ok(document) => Self::find(&document).unwrap_or_else(|| Self::read(&document)),
            Err(_) => Self { message: excerpt(&text), ..Self::default() },
        }
    }

    /// An error object itself, where it is known that it is one.
    pub(crate) fn read(error: &Value) -> Self {
        if let Value::String(message) = error {
            return Self { message: message.clone(), ..Self::default() };
        }
        let at = |path: &str| error.pointer(path);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        // Google's details: why, which quota, and how long to wait.
        let details = at("/details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let reasons = details.iter().filter_map(|detail| text(detail.get("reason")));
        let violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten();
        let quotas = violations.filter_map(|violation| text(violation.get("quotaId")));
        let retry_after_ms = details.iter().find_map(|detail| duration_ms(detail.get("retryDelay")?.as_str()?));
        let paths = ["/details/error_code", "/innererror/code", "/code", "/type", "/status", "/__type"];
        let codes = paths.iter().filter_map(|path| text(at(path)));
        // The mark of an error event is no code.
        let codes: Vec<String> = reasons.chain(quotas).chain(codes).filter(|code| code != "error").collect();
        let number = |path: &str| at(path).and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        let status = ["/status_code", "/originalStatusCode", "/code", "/status"].iter().find_map(|path| number(path));
        let message = at("/message").or_else(|| at("/Message"));
        let mut message = message.and_then(Value::as_str).unwrap_or_default().to_owned();
        // OpenRouter says "Provider returned error" and puts what that provider said beside it.
        if let Some(raw) = at("/metadata/raw").and_then(Value::as_str) {
            message = format!("{message}: {raw}");
        }
        if message.is_empty() && codes.is_empty() {
            message = excerpt(&error.to_string());
        }
        let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| (400..600).contains(status));
        Self { codes, message, status, retry_after_ms }
    }

    /// An error whose name stands beside its body.
    pub(crate) fn named(name: &str, body: &Value) -> Self {
        Self::read(body).with_code(name)
    }

    /// Puts a code first; an empty one is none.
    pub(crate) fn with_code(mut self, code: &str) -> Self {
        if !code.is_empty() {
            self.codes.insert(0, code.to_owned());
        }
        self
    }

    /// The failure that this error means. `status` is that of the response, `None` for an error inside a stream.
    pub(crate) fn failure(&self, status: Option<u16>) -> Failure {
        let status = status.filter(|status| *status >= 400).or(self.status);
        let class = classify::class(&Evidence { status, codes: &self.codes, message: &self.message });
        let mut message = self.message.trim().to_owned();
        if let Some(code) = self.codes.first() {
            message = if message.is_empty() { code.clone() } else { format!("{message} ({code})") };
        }
        if message.is_empty() {
            message = "no explanation was given".to_owned();
        }
        Failure { status, retry_after_ms: self.retry_after_ms, ..Failure::new(class, message) }
    }
}

fn excerpt(text: &str) -> String {
    text.trim().chars().take(EXCERPT).collect()
}
