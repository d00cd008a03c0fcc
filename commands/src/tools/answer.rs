//! What a tool answers.

use docket_domain::conversation::ToolOutcome;
use serde::Serialize;

/// The most text that a model gets from one tool call, in bytes; of more, the head and the tail are kept.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: ToolOutcome,
    pub text: String,
}

impl Answer {
    /// A result, as JSON.
    pub(super) fn ok(result: &impl Serialize) -> Self {
        match serde_json::to_string(result) {
            Ok(text) => Self { outcome: ToolOutcome::Ok, text },
            Err(error) => Self::error(format!("The result cannot be written as JSON: {error}.")),
        }
    }

    /// What is wrong, for the model to read.
    pub fn error(text: impl Into<String>) -> Self {
        Self { outcome: ToolOutcome::Error, text: text.into() }
    }

    /// Nobody can know whether it took effect.
    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self { outcome: ToolOutcome::Unknown, text: text.into() }
    }

    /// At most [`MAX_ANSWER`] bytes: two thirds of them from the head, one third from the tail, and a note between.
    pub(crate) fn bounded(self) -> Self {
        let Self { outcome, text } = self;
        if text.len() <= MAX_ANSWER {
            return Self { outcome, text };
        }
        let head = text.floor_char_boundary(MAX_ANSWER * 2 / 3 - 100);
        let tail = text.ceil_char_boundary(text.len() - MAX_ANSWER / 3);
        let note = format!("\n[{} bytes left out]\n", tail - head);
        Self { outcome, text: [&text[..head], &note, &text[tail..]].concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_keeps_its_head_and_its_tail() {
        let text = format!("begin{}end", "ä".repeat(MAX_ANSWER));
        let bounded = Answer::error(text).bounded().text;
        assert!(bounded.len() <= MAX_ANSWER);
        assert!(bounded.starts_with("begin") && bounded.ends_with("end") && bounded.contains("bytes left out"));
    }
}
