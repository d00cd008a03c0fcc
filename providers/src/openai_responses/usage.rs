//! Token counts as the Responses API reports them: `input_tokens` includes what was read from and written to the cache,
//! `output_tokens` includes reasoning.

use docket_domain::usage::Usage;
use serde_json::Value;

pub(super) fn counts(usage: &Value) -> Usage {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let (cache_read, cache_write) =
        (count("/input_tokens_details/cached_tokens"), count("/input_tokens_details/cache_write_tokens"));
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    Usage {
        input: count("/input_tokens").map(|input| input.saturating_sub(cached)),
        cache_read,
        cache_write,
        output: count("/output_tokens"),
        reasoning: count("/output_tokens_details/reasoning_tokens"),
    }
}
