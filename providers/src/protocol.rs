//! The wire protocols that are spoken.

/// A wire protocol: how a request is encoded and how the answer is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Protocol {
    /// Anthropic's Messages API (`POST /v1/messages`).
    AnthropicMessages,
    /// OpenAI's Responses API (`POST {base}/responses`), at OpenAI and at Azure.
    #[strum(serialize = "openai-responses")]
    OpenAiResponses,
    /// OpenAI's Chat Completions API and every endpoint that is compatible with it (`POST {base}/chat/completions`).
    #[strum(serialize = "openai-chat")]
    OpenAiChat,
    /// Google's Gemini API (`POST {base}/models/{model}:streamGenerateContent`).
    Gemini,
    /// AWS Bedrock's `ConverseStream` (`POST /model/{model}/converse-stream`), in binary frames.
    BedrockConverse,
    /// The built-in model that needs no network; see [`crate::scripted`].
    Scripted,
}

impl Protocol {
    /// The name by which opaque parts of this protocol are marked.
    #[must_use]
    pub fn dialect(self) -> &'static str {
        self.into()
    }

    /// The type of an answer that is a stream.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::BedrockConverse => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn names_are_stable() {
        let names: Vec<_> = Protocol::iter().map(Protocol::dialect).collect();
        let want = ["anthropic-messages", "openai-responses", "openai-chat", "gemini", "bedrock-converse", "scripted"];
        assert_eq!(names, want);
        assert_eq!("openai-chat".parse(), Ok(Protocol::OpenAiChat));
    }
}
