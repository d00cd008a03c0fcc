//! From a conversation to the body of `POST /model/{model}/converse-stream`.
//!
//! Caching is asked for by cache points, which only some models take: one behind the tools and one behind the system prompt,
//! which never move, and one at the end, which is in the tail, so that no message's bytes change when it moves on.

use crate::{
    body::{Body, schema},
    history::{CallIds, Sent, SentCall, ToolInput, calls, said, sent},
    protocol::Protocol,
    request::ModelRequest,
    turns::{Role, Shape, Turns},
};
use bytes::Bytes;
use docket_domain::{
    conversation::{Message, ToolOutcome},
    failure::Failure,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const SHAPE: Shape =
    Shape { assistant: "assistant", content: "content", opening: r#"{"text":"(The conversation goes on from here.)"}"# };

/// A content block is an object with one key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Block<'a> {
    Text(&'a str),
    ReasoningContent(Reasoning<'a>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: &'a str,
        name: &'a str,
        input: ToolInput<'a>,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: &'a str,
        content: [ResultText<'a>; 1],
        status: &'static str,
    },
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    reasoning_text: ReasoningText<'a>,
}

#[derive(Serialize)]
struct ReasoningText<'a> {
    text: &'a str,
    signature: &'a str,
}

#[derive(Serialize)]
struct ResultText<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct CachePoint {
    r#type: &'static str,
}

const CACHE_POINT: Block<'static> = Block::CachePoint(CachePoint { r#type: "default" });
/// The same in the tail, in the message that is still open.
const LAST_CACHE_POINT: &str = r#",{"cachePoint":{"type":"default"}}"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: u32,
}

#[derive(Serialize)]
struct ToolConfig<'a> {
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Tool<'a> {
    ToolSpec(Spec<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    json: &'a RawValue,
}

/// The parts of the body. The model is in the URL.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>) -> Result<Vec<Bytes>, Failure> {
    let caching = Caching::of(request.model.model());
    let mut turns = Turns::new(SHAPE);
    head(&mut turns.body, request, caching)?;
    let mut ids = CallIds::default();
    for message in request.messages {
        write(&mut turns, request, message, &mut ids)?;
        turns.body.cut();
    }
    let last = caching != Caching::None && turns.open() == Some(Role::User);
    Ok(turns.finish_with(if last { LAST_CACHE_POINT } else { "" }, "}"))
}

/// Where a model takes cache points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caching {
    None,
    /// Amazon's own: not behind tools.
    Messages,
    /// Anthropic's.
    Everywhere,
}

impl Caching {
    /// A model that knows no cache points refuses them. The name may be an inference profile's or an ARN.
    fn of(model: &str) -> Self {
        let old = ["claude-v2", "claude-instant", "claude-3-haiku", "claude-3-sonnet", "claude-3-opus", "sonnet-20240620"];
        if model.contains("amazon.nova") {
            Self::Messages
        } else if model.contains("anthropic.claude") && !old.iter().any(|name| model.contains(name)) {
            Self::Everywhere
        } else {
            Self::None
        }
    }
}

fn head(body: &mut Body, request: &ModelRequest<'_>, caching: Caching) -> Result<(), Failure> {
    body.raw("{");
    if let Some(max_tokens) = request.max_output_tokens {
        body.field("inferenceConfig", &InferenceConfig { max_tokens })?;
    }
    if !request.system.trim().is_empty() {
        let mut system = vec![Block::Text(request.system)];
        if caching != Caching::None {
            system.push(CACHE_POINT);
        }
        body.field("system", &system)?;
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, description) = (tool.name.as_str(), tool.description.as_str());
            let input_schema = Schema { json: schema(name, &tool.input_schema)? };
            Ok(Tool::ToolSpec(Spec { name, description, input_schema }))
        });
        let mut tools = tools.collect::<Result<Vec<_>, Failure>>()?;
        if caching == Caching::Everywhere {
            tools.push(Tool::CachePoint(CachePoint { r#type: "default" }));
        }
        body.field("toolConfig", &ToolConfig { tools })?;
    }
    body.name("messages")?;
    body.raw("[");
    body.cut();
    Ok(())
}

fn write(turns: &mut Turns, request: &ModelRequest<'_>, message: &Message, ids: &mut CallIds) -> Result<(), Failure> {
    if let Message::User { content, .. } = message {
        return said(content).into_iter().try_for_each(|text| turns.block(Role::User, &Block::Text(text)));
    }
    // One maker's proof means nothing to another's model, and both are behind this provider.
    let same_model = matches!(message, Message::Assistant { model, .. } if model == request.model);
    // Where no tools are offered, calls and results are refused: they are told as text.
    let tools = !request.tools.is_empty();
    let parts = sent(request, message, Protocol::BedrockConverse.dialect(), ids)?;
    let results: Vec<_> = parts.iter().filter_map(|part| Opaque::of(part).tool_result).collect();
    for part in &parts {
        match part {
            Sent::Text(text) => turns.block(Role::Assistant, &Block::Text(text))?,
            Sent::Reasoning { text, signature } if same_model && !signature.is_empty() => {
                let reasoning_text = ReasoningText { text, signature };
                turns.block(Role::Assistant, &Block::ReasoningContent(Reasoning { reasoning_text }))?;
            }
            Sent::Call(call) if tools => {
                let (tool_use_id, name) = (&*call.id, &*call.name);
                turns.block(Role::Assistant, &Block::ToolUse { tool_use_id, name, input: call.input })?;
            }
            Sent::Call(call) => turns.block(Role::Assistant, &Block::Text(&call.told()?))?,
            Sent::Opaque(block) if same_model && Opaque::of(part).is_sendable(&results, tools) => {
                turns.block(Role::Assistant, block)?
            }
            Sent::Reasoning { .. } | Sent::Opaque(_) => {}
        }
    }
    for call in calls(&parts) {
        if tools {
            turns.block(Role::User, &result(call))?;
        } else {
            turns.block(Role::User, &Block::Text(&call.named_output()))?;
        }
    }
    Ok(())
}

fn result<'a>(call: &'a SentCall<'_>) -> Block<'a> {
    let status = if call.outcome == ToolOutcome::Ok { "success" } else { "error" };
    Block::ToolResult { tool_use_id: &call.id, content: [ResultText { text: call.output }], status }
}

/// What has to be known of an opaque block: the ids by which a call of the provider's own tool and its result belong
/// together.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Opaque {
    tool_use: Option<Tied>,
    tool_result: Option<Tied>,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
struct Tied {
    tool_use_id: String,
}

impl Opaque {
    fn of(part: &Sent<'_>) -> Self {
        if let Sent::Opaque(block) = part { serde_json::from_str(block.get()).unwrap_or_default() } else { Self::default() }
    }

    /// Whether the block can be sent: not a call that an interrupt left without its result, and nothing of tools where none
    /// are offered.
    fn is_sendable(&self, results: &[Tied], tools: bool) -> bool {
        let answered = self.tool_use.as_ref().is_none_or(|call| results.contains(call));
        answered && (tools || (self.tool_use.is_none() && self.tool_result.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::Caching;

    #[test]
    fn only_models_that_know_cache_points_get_them() {
        for (model, caching) in [
            ("us.anthropic.claude-sonnet-4-6", Caching::Everywhere),
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", Caching::Everywhere),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0", Caching::None),
            ("anthropic.claude-3-haiku-20240307-v1:0", Caching::None),
            ("us.amazon.nova-pro-v1:0", Caching::Messages),
            ("openai.gpt-oss-120b-1:0", Caching::None),
        ] {
            assert_eq!(Caching::of(model), caching, "{model}");
        }
    }
}
