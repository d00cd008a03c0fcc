//! The wire protocols that are spoken.

/// A wire protocol: how a request is encoded and how the answer is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Protocol {
    /// Anthropic's Messages API (`POST /v1/messages`).
    AnthropicMessages,
    /// OpenAI's Chat Completions API and every endpoint that is compatible with it (`POST {base}/chat/completions`).
    #[strum(serialize = "openai-chat")]
    OpenAiChat,
    /// The built-in model that needs no network; see [`crate::scripted`].
    Scripted,
}

impl Protocol {
    /// The name by which opaque parts of this protocol are marked.
    #[must_use]
    pub fn dialect(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable() {
        let names = [Protocol::AnthropicMessages, Protocol::OpenAiChat, Protocol::Scripted].map(Protocol::dialect);
        assert_eq!(names, ["anthropic-messages", "openai-chat", "scripted"]);
        assert_eq!("openai-chat".parse(), Ok(Protocol::OpenAiChat));
    }
}
