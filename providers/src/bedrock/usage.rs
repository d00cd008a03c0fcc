//! Token counts as Bedrock reports them: `inputTokens` leaves out what was read from or written to the cache, which is our
//! meaning too; `outputTokens` includes reasoning.

use docket_domain::usage::Usage;
use serde_json::Value;

pub(super) fn counts(usage: &Value) -> Usage {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    Usage {
        input: count("inputTokens"),
        cache_read: count("cacheReadInputTokens"),
        cache_write: count("cacheWriteInputTokens"),
        output: count("outputTokens"),
        reasoning: None,
    }
}
