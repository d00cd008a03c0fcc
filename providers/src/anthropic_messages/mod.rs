//! Anthropic's Messages API, version 2023-06-01.
//!
//! Source of the facts: the types of Anthropic's own Python SDK 2.12.0 and the recorded exchanges under
//! `tests/fixtures/anthropic/`.

mod block;
mod encoder;
mod interpreter;
mod usage;

pub(crate) use encoder::encode;
pub(crate) use interpreter::Interpreter;

/// The value of the header `anthropic-version`.
pub(crate) const VERSION: &str = "2023-06-01";

/// Where no limit on output tokens is given: the protocol requires one. Every model in service takes this much.
pub(crate) const DEFAULT_MAX_TOKENS: u32 = 32_000;
