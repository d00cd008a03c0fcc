//! Decodes recorded exchanges and compares with what the provider's own SDK made of the same bytes.
//!
//! Deliberate differences from the SDKs:
//!
//! | Recording | SDK | Here |
//! |---|---|---|
//! | `anthropic/spliced-cut-mid-frame` | ends without a word | `Failed`, class `truncated` |
//! | `compat/openrouter-error-in-stream` | text, `length`, and an error | `Failed`: an error beats a finish reason |
//! | `openai-chat/refusal`, `openai-responses/refusal` | a field of its own | text, and stop reason `refusal` |
//! | `openai-responses/vercel-custom-tool` | a call | opaque, whole: a tool of this kind is never offered |
//! | `anthropic/vercel-tool-search-regex` | reads on over the first terminal | two answers, one after the other in one file: two streams |
//! | `gemini/vercel-vertex-partial-args-nested` | a call in pieces | one call, its input put together |
//! | server tools, redacted thinking, compactions, reasoning items | typed blocks | opaque, whole, with their block |

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounting;
mod decoding;
mod meaning;
mod recording;
mod spoiled;
