//! Token counts as Chat Completions reports them: `prompt_tokens` includes what was read from and written to the cache,
//! `completion_tokens` includes reasoning.

use docket_domain::usage::Usage;
use serde_json::Value;

/// `None` if the object names no count at all.
pub(super) fn counts(usage: &Value) -> Option<Usage> {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let prompt = count("/prompt_tokens");
    // DeepSeek had names of its own before it took over OpenAI's.
    let cache_read = count("/prompt_tokens_details/cached_tokens").or_else(|| count("/prompt_cache_hit_tokens"));
    let cache_write = count("/prompt_tokens_details/cache_write_tokens");
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    let usage = Usage {
        input: prompt.map(|prompt| prompt.saturating_sub(cached)),
        cache_read,
        cache_write,
        output: count("/completion_tokens"),
        reasoning: count("/completion_tokens_details/reasoning_tokens"),
    };
    (usage != Usage::default()).then_some(usage)
}
