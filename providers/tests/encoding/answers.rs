//! Answers as they were recorded, whole or cut off anywhere, as messages of a conversation.

use docket_domain::{conversation::AssistantPart, ids::ModelCallId, model_call::Assembly};
use docket_providers::{Decoder, Limits, Protocol};
use std::{fs, path::PathBuf, sync::LazyLock};
use uuid::Uuid;

/// A recorded answer and the model that is said to have given it.
pub(crate) struct Recorded {
    pub(crate) model: &'static str,
    protocol: Protocol,
    bytes: Vec<u8>,
}

/// One recording of each thing that has to go back: reasoning with its proof, parallel calls, tools of the provider's own.
const RECORDINGS: [(&str, &str); 24] = [
    ("anthropic/m", "anthropic/thinking-then-tool.sse"),
    ("anthropic/m", "anthropic/redacted-thinking.sse"),
    ("anthropic/m", "anthropic/parallel-tools.sse"),
    ("anthropic/m", "anthropic/web-search-server-tool.sse"),
    ("own/gpt-5", "openai-responses/reasoning-tool-gpt5.sse"),
    ("own/gpt-5", "openai-responses/phase-gpt55.sse"),
    ("own/gpt-5", "openai-responses/web-search.sse"),
    ("own/gpt-5", "openai-responses/incomplete-mid-tool-call.sse"),
    ("own/gpt-5", "openai-responses/mcp.sse"),
    ("openai/m", "openai-chat/parallel-tools.sse"),
    ("openai/m", "compat/llamacpp-gptoss-tool.sse"),
    ("openai/m", "compat/ollama-qwen3-openai-tool.sse"),
    ("openai/m", "compat/deepseek-reasoner.sse"),
    ("gemini/gemini-3-pro", "gemini/thinking.sse"),
    ("gemini/gemini-3-pro", "gemini/parallel-tools-gemini3.sse"),
    ("gemini/gemini-3-pro", "gemini/code-execution.sse"),
    ("gemini/gemini-3-pro", "gemini/thinking-tool.sse"),
    ("azure/deployment", "azure/responses-reasoning-encrypted.sse"),
    ("azure/deployment", "azure/responses-tool.sse"),
    ("bedrock/us.anthropic.claude-sonnet-4-6", "bedrock/converse-thinking-claude.bin"),
    ("bedrock/us.anthropic.claude-sonnet-4-6", "bedrock/converse-thinking-redacted.bin"),
    ("bedrock/us.anthropic.claude-sonnet-4-6", "bedrock/converse-two-tools-nova.bin"),
    ("bedrock/us.anthropic.claude-sonnet-4-6", "bedrock/converse-code-interpreter.bin"),
    ("bedrock/us.anthropic.claude-sonnet-4-6", "bedrock/converse-tool-claude3.bin"),
];

pub(crate) fn recorded() -> &'static [Recorded] {
    static ALL: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let one = |(model, path): &(&'static str, &str)| Recorded {
            model,
            protocol: protocol(model),
            bytes: fs::read(root.join(path)).unwrap(),
        };
        RECORDINGS.iter().map(one).collect()
    });
    &ALL
}

pub(crate) fn protocol(model: &str) -> Protocol {
    match model.split('/').next().unwrap() {
        "anthropic" => Protocol::AnthropicMessages,
        "own" | "azure" => Protocol::OpenAiResponses,
        "openai" => Protocol::OpenAiChat,
        "gemini" => Protocol::Gemini,
        "bedrock" => Protocol::BedrockConverse,
        other => panic!("{other}"),
    }
}

impl Recorded {
    /// The parts of the answer after `bytes` of it, as if a person had interrupted there.
    pub(crate) fn parts(&self, call: u128, bytes: usize) -> Vec<AssistantPart> {
        let mut decoder = Decoder::new(self.protocol, &Limits::default());
        decoder.push(&self.bytes[..bytes.min(self.bytes.len())]);
        let (id, mut assembly) = (ModelCallId(Uuid::from_u128(call)), Assembly::default());
        while let Some(frame) = decoder.next_frame() {
            frame.iter().for_each(|event| assembly.add(id, event));
        }
        if bytes >= self.bytes.len() {
            decoder.end().iter().flatten().for_each(|event| assembly.add(id, event));
        }
        assembly.parts()
    }

    pub(crate) fn whole(&self, call: u128) -> Vec<AssistantPart> {
        self.parts(call, self.bytes.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}
