//! What went wrong with a model call, in classes that decide what happens next.

use serde::{Deserialize, Serialize};

/// The class of a failed model call.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display, strum::IntoStaticStr, strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FailureClass {
    /// The provider has no capacity (529, 503 with overload wording).
    Overloaded,
    /// 429: too many requests or tokens for now.
    RateLimit,
    /// No connection, a time limit, a gateway error.
    Timeout,
    /// No byte for the guard period.
    Silence,
    /// The stream ended, or was malformed, before its terminal.
    Truncated,
    /// Another fault on the provider's side (5xx).
    Provider,
    /// The account has no credit or reached a spend limit.
    Quota,
    /// The credentials were refused, or there are none.
    Auth,
    /// The request is wrong: unknown model, invalid parameter, a provider that is not configured.
    Configuration,
    /// Blocked by a safety filter.
    ContentFilter,
    /// The conversation does not fit into the model's context window.
    ContextOverflow,
    /// The control plane's process ended while the call ran.
    WorkerLost,
}

impl FailureClass {
    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Overloaded
            | Self::RateLimit
            | Self::Timeout
            | Self::Silence
            | Self::Truncated
            | Self::Provider
            | Self::WorkerLost => true,
            Self::Quota | Self::Auth | Self::Configuration | Self::ContentFilter | Self::ContextOverflow => false,
        }
    }
}

/// A failed model call, or a failed turn. `message` is for people and never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Failure {
    pub class: FailureClass,
    pub message: String,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the provider asked us to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The longest message of a failure, in characters; the rest is cut.
pub const MAX_FAILURE_MESSAGE: usize = 2_000;

impl Failure {
    #[must_use]
    pub fn new(class: FailureClass, message: impl AsRef<str>) -> Self {
        let message = message.as_ref().chars().take(MAX_FAILURE_MESSAGE).collect();
        Self { class, message, status: None, retry_after_ms: None }
    }
}
