//! The words by which providers say that a conversation does not fit into the model's context window. There is no common
//! code, so a list of what was seen and documented has to do.

/// Each entry is a set of words that all have to appear. Lower case.
const WORDINGS: &[&[&str]] = &[
    &["prompt is too long"],                            // Anthropic
    &["input length and", "exceed context limit"],      // Anthropic, input and max_tokens together
    &["exceeds the context window"],                    // OpenAI
    &["maximum context length"],                        // OpenAI of old, DeepSeek, vLLM, OpenRouter
    &["input token count", "exceeds the maximum"],      // Gemini
    &["input tokens exceeded"],                         // Bedrock, Nova
    &["input is too long"],                             // Bedrock, Claude
    &["exceeds the available context size"],            // llama.cpp
    &["prompt too long", "max context length"],         // ollama
    &["too many tokens", "size limit exceeded"],        // Cohere
    &["total length of all messages is too long"],      // Perplexity
    &["maximum prompt length is"],                      // xAI
    &["reduce the length of the messages"],             // Groq
    &["too large for model", "maximum context length"], // Mistral
    &["greater than the context length"],               // LM Studio
    &["context length", "exceeded"],
    &["context window", "exceed"],
];

/// Whether a message, in lower case, says that the context overflowed.
pub(super) fn says_overflow(message: &str) -> bool {
    WORDINGS.iter().any(|words| words.iter().all(|word| message.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::says_overflow;

    #[test]
    fn knows_the_wordings() {
        for text in [
            "prompt is too long: 3333404 tokens > 200000 maximum",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 3",
            "your input exceeds the context window of this model.",
            "this model's maximum context length is 8192 tokens. however, you requested 9000 tokens",
            "the input token count (1250074) exceeds the maximum number of tokens allowed (1048576).",
            "the model returned the following errors: input tokens exceeded: number of input tokens exceeds maximum length.",
            "request (6030 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "prompt too long; exceeded max context length by 12 tokens",
            "too many tokens: size limit exceeded by 5 tokens",
            "please reduce the length of the messages or completion",
        ] {
            assert!(says_overflow(text), "{text}");
        }
        assert!(!says_overflow("max_tokens is too large: 99 (maximum 10)"));
    }
}
