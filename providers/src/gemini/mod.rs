//! Google's Gemini API.
//!
//! A *thought signature* is Gemini's proof of its thinking, and sits on whatever part came after the thinking. It has to go
//! back on that very part. Where the part has a common meaning, an opaque block behind it keeps the signature.
//!
//! Source of the facts: the types of Google's own Python SDK 3.4.0 and the recorded exchanges under `tests/fixtures/gemini/`.

mod encoder;
mod interpreter;
mod partial_args;
mod signature;
mod usage;

pub(crate) use encoder::encode;
pub(crate) use interpreter::Interpreter;
