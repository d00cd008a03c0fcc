//! Token counts as Gemini reports them: `promptTokenCount` includes what was read from the cache; thoughts are counted apart
//! from the candidates, and so is what its own tools read.

use docket_domain::usage::Usage;
use serde_json::Value;

pub(super) fn counts(usage: &Value) -> Usage {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let (cache_read, reasoning) = (count("cachedContentTokenCount"), count("thoughtsTokenCount"));
    let read = |prompt: u64| prompt.saturating_sub(cache_read.unwrap_or(0)).saturating_add(by_tools(usage));
    let output = match (count("candidatesTokenCount"), reasoning) {
        (None, None) => None,
        (said, thought) => Some(said.unwrap_or(0).saturating_add(thought.unwrap_or(0))),
    };
    Usage { input: count("promptTokenCount").map(read), cache_read, cache_write: None, output, reasoning }
}

fn by_tools(usage: &Value) -> u64 {
    usage.get("toolUsePromptTokenCount").and_then(Value::as_u64).unwrap_or(0)
}
