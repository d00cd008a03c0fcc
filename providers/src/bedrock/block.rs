//! A content block without a common meaning (redacted reasoning, a tool of the provider's own, its result) while it is
//! streamed. It is put together here, because only the whole of it can be sent back.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

#[derive(Debug)]
pub(super) enum OpaqueBlock {
    /// Bytes of reasoning that are not for our eyes.
    Redacted(Vec<u8>),
    /// A call of the provider's own tool.
    ServerTool { call: Map<String, Value>, input: String },
    /// The result of one.
    ServerResult { result: Map<String, Value>, content: Vec<Value> },
    /// Whatever comes next: how it began.
    Unknown(Value),
}

impl OpaqueBlock {
    /// By the `start` of the block.
    pub(super) fn new(start: &Value) -> Self {
        match (start.get("toolUse").and_then(Value::as_object), start.get("toolResult").and_then(Value::as_object)) {
            (Some(call), _) => Self::ServerTool { call: call.clone(), input: String::new() },
            (None, Some(result)) => Self::ServerResult { result: result.clone(), content: Vec::new() },
            (None, None) => Self::Unknown(start.clone()),
        }
    }

    /// Takes a delta; `None` if it is not known here.
    pub(super) fn add(&mut self, delta: &Value) -> Option<()> {
        match self {
            Self::Redacted(bytes) => {
                let piece = delta.pointer("/reasoningContent/redactedContent")?.as_str()?;
                bytes.extend(STANDARD.decode(piece).ok()?);
            }
            Self::ServerTool { input, .. } => input.push_str(delta.pointer("/toolUse/input")?.as_str()?),
            Self::ServerResult { content, .. } => content.extend_from_slice(delta.get("toolResult")?.as_array()?),
            Self::Unknown(_) => return None,
        }
        Some(())
    }

    /// The whole block as JSON text.
    pub(super) fn whole(self) -> String {
        let block = match self {
            Self::Redacted(bytes) => json!({ "reasoningContent": { "redactedContent": STANDARD.encode(bytes) } }),
            Self::ServerTool { mut call, input } => {
                let input = if input.trim().is_empty() { json!({}) } else { serde_json::from_str(&input).unwrap_or(json!({})) };
                call.insert("input".to_owned(), input);
                json!({ "toolUse": call })
            }
            Self::ServerResult { mut result, content } => {
                result.insert("content".to_owned(), Value::Array(content));
                json!({ "toolResult": result })
            }
            Self::Unknown(start) => start,
        };
        block.to_string()
    }
}
