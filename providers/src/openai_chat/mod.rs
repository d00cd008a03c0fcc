//! OpenAI's Chat Completions API, as OpenAI and the many servers that are compatible with it speak it.
//!
//! Source of the facts: the types of OpenAI's own Python SDK 3.54.0 and the recorded exchanges under
//! `tests/fixtures/openai-chat/` and `tests/fixtures/compat/` (llama.cpp, ollama, DeepSeek, Groq, OpenRouter).

mod calls;
mod encoder;
mod interpreter;
mod reasoning;
mod usage;

pub(crate) use encoder::encode;
pub(crate) use interpreter::Interpreter;
