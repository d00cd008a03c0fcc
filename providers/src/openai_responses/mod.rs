//! OpenAI's Responses API, as a stateless protocol: nothing is stored with the provider (`store: false`), so reasoning comes
//! encrypted and goes back as it came.
//!
//! Source of the facts: the types of OpenAI's own Python SDK 3.54.0 and the recorded exchanges under
//! `tests/fixtures/openai-responses/` and `tests/fixtures/azure/`.

mod blocks;
mod encoder;
mod interpreter;
mod usage;

pub(crate) use encoder::encode;
pub(crate) use interpreter::Interpreter;
