//! Unified differences, bounded.

use docket_wire::limits::DIFF_BYTES;
use similar::{Algorithm, TextDiff};
use std::time::Duration;

/// Differences of several files share one bound.
#[derive(Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(DIFF_BYTES)
    }
}

impl Budget {
    /// The difference between a file's old and new text.
    pub fn diff(&mut self, path: &str, before: &str, after: &str) -> String {
        // Beyond the deadline the difference is coarser, but still right.
        let diff =
            TextDiff::configure().algorithm(Algorithm::Myers).timeout(Duration::from_millis(500)).diff_lines(before, after);
        let text = diff.unified_diff().context_radius(3).header(&format!("a/{path}"), &format!("b/{path}")).to_string();
        if text.len() <= self.0 {
            self.0 -= text.len();
            return text;
        }
        let mut end = self.0;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.0 = 0;
        format!("{}\n[difference of {} bytes cut]\n", &text[..end], text.len())
    }
}
