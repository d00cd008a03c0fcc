//! What the scripted model does, one after the other, in one answer.

use docket_domain::{failure::Failure, usage::StopReason};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Say(String),
    Tokens(u64),
    Think(String),
    Call {
        tool: String,
        input: String,
    },
    Fail(Failure),
    /// Milliseconds before each delta from here on.
    Pace(u64),
    Stop(StopReason),
    /// Input tokens to report.
    Usage(u64),
}

impl Action {
    pub(super) fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }

    pub(super) fn call(tool: &str, input: &serde_json::Value) -> Self {
        Self::Call { tool: tool.to_owned(), input: input.to_string() }
    }
}
