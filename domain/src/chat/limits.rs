//! Bounds on what a chat takes in.

/// The most prompts that may wait in a queue.
pub const MAX_QUEUE: usize = 50;
/// The most text in one prompt, in bytes, over all of its parts.
pub const MAX_PROMPT_BYTES: usize = 1024 * 1024;
/// The most parts in one prompt.
pub const MAX_PROMPT_PARTS: usize = 100;
/// The longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// The most labels on a chat.
pub const MAX_LABELS: usize = 50;
/// The longest name of a label, in characters.
pub const MAX_LABEL_NAME: usize = 64;
/// The longest value of a label, in characters.
pub const MAX_LABEL_VALUE: usize = 256;
/// Attempts at one model call before the turn fails: about 19 minutes of waiting.
pub const MAX_ATTEMPTS: u32 = 25;
