//! How a server names its reasoning: kept with the answer, because it wants it back under the same name.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The field of a delta that the reasoning came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReasoningField {
    /// DeepSeek, llama.cpp, older vLLM, xAI.
    ReasoningContent,
    /// ollama, Groq, OpenRouter, newer vLLM.
    Reasoning,
}

impl ReasoningField {
    /// The opaque block that remembers it.
    pub(super) fn block(self) -> String {
        json!({ "reasoning_field": self }).to_string()
    }
}

/// OpenRouter's blocks of reasoning while they are streamed.
#[derive(Debug, Default)]
pub(super) struct Details(Vec<Map<String, Value>>);

impl Details {
    /// Adds a delta's blocks: one of the same type and index as the last goes on with it. Its text grows, any other field
    /// replaces what was there.
    pub(super) fn add(&mut self, details: &[Value]) {
        for detail in details.iter().filter_map(Value::as_object) {
            let same =
                |last: &&mut Map<String, Value>| ["type", "index"].iter().all(|name| last.get(*name) == detail.get(*name));
            let Some(last) = self.0.last_mut().filter(same) else {
                self.0.push(detail.clone());
                continue;
            };
            for (name, value) in detail.iter().filter(|(_, value)| !value.is_null()) {
                match (last.get_mut(name), value) {
                    (Some(Value::String(before)), Value::String(more)) if matches!(&**name, "text" | "summary" | "data") => {
                        before.push_str(more);
                    }
                    _ => drop(last.insert(name.clone(), value.clone())),
                }
            }
        }
    }

    /// The opaque block that keeps them; `None` if there are none.
    pub(super) fn block(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| json!({ "reasoning_details": self.0 }).to_string())
    }
}
