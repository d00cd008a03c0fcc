//! A content block while it is streamed.

use serde_json::{Map, Value, value::RawValue};

/// What kind of block it is, and what has to be remembered of it.
#[derive(Debug)]
pub(super) enum Block {
    Text,
    Thinking,
    ToolUse,
    Opaque(OpaqueBlock),
}

/// A block without a common meaning (redacted thinking, a server tool's call or result, a compaction, whatever comes next).
/// It is put together here, because only the whole of it can be sent back.
#[derive(Debug)]
pub(super) struct OpaqueBlock {
    /// The block as it began, exact.
    start: String,
    /// The input of a server tool, as far as it was received.
    input: String,
    /// Further fields that deltas brought.
    fields: Map<String, Value>,
}

impl OpaqueBlock {
    pub(super) fn new(start: &RawValue) -> Self {
        Self { start: start.get().to_owned(), input: String::new(), fields: Map::new() }
    }

    /// Takes a delta: fragments of input are joined; text grows; any other field replaces what was there.
    pub(super) fn add(&mut self, delta: &Map<String, Value>) {
        if let Some(Value::String(fragment)) = delta.get("partial_json") {
            self.input.push_str(fragment);
            return;
        }
        for (name, value) in delta.iter().filter(|(name, value)| *name != "type" && !value.is_null()) {
            match (self.fields.get_mut(name), value) {
                (Some(Value::String(before)), Value::String(more)) => before.push_str(more),
                _ => drop(self.fields.insert(name.clone(), value.clone())),
            }
        }
    }

    /// The whole block as JSON text: exactly what was received where it came in one piece.
    pub(super) fn whole(self) -> String {
        if self.input.is_empty() && self.fields.is_empty() {
            return self.start;
        }
        let Ok(Value::Object(mut block)) = serde_json::from_str::<Value>(&self.start) else { return self.start };
        block.extend(self.fields);
        if let Ok(input) = serde_json::from_str::<Value>(&self.input) {
            block.insert("input".to_owned(), input);
        }
        Value::Object(block).to_string()
    }
}
