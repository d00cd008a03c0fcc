//! Tokens that a model call used, and why it stopped.

use serde::{Deserialize, Serialize};

/// Token counts of one model call, in one meaning for all providers: `input` excludes what was read from or written to the
/// provider's cache, `output` includes reasoning. `None` means that the provider did not say, which is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Whether the provider said nothing at all.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Everything that took room in the model's context window: input, cached or not, and output.
    #[must_use]
    pub fn context(&self) -> u64 {
        [self.input, self.cache_read, self.cache_write, self.output].into_iter().flatten().sum()
    }

    /// Counts are cumulative in every protocol: what a later report names replaces what an earlier one said.
    pub fn supersede(&mut self, later: Usage) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
    }
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StopReason {
    /// It said all that it had to say, or hit a stop sequence.
    EndOfTurn,
    /// It waits for the results of its tool calls.
    ToolUse,
    /// The limit on output tokens was reached. A tool call that was cut by it is never executed.
    MaxTokens,
    /// The provider or the model refused (safety).
    Refusal,
    /// The provider paused a long turn; the same history sent again goes on.
    Pause,
    /// A person interrupted; what had been said until then is kept.
    Interrupted,
}
