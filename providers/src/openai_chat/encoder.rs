//! From a conversation to the body of `POST {base}/chat/completions`.
//!
//! Reasoning goes back where the server said it in the first place and the answer has tool calls, under the name that the
//! server gave it: models that think between their calls lose the thread without it, and answers without calls need none.
//! OpenAI itself sends none, so it gets none.

use super::reasoning::ReasoningField;
use crate::{
    body::{Body, json_text, schema},
    endpoint::Server,
    history::{CallIds, Sent, calls, said, sent},
    protocol::Protocol,
    request::ModelRequest,
};
use bytes::Bytes;
use docket_domain::{conversation::Message, failure::Failure};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    /// Padding against eavesdroppers who count bytes, which triples the size of a stream. OpenAI's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    include_obfuscation: Option<bool>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CalledFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    /// A string that holds a JSON object.
    arguments: String,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Wire<'a> {
    System {
        content: &'a str,
    },
    User {
        content: UserContent<'a>,
    },
    /// `content` is never null: llama-cpp-python answers that with a 500.
    Assistant {
        content: String,
        #[serde(flatten)]
        reasoning: Reasoning<'a>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: String,
    },
}

/// Reasoning as the server that said it wants it back.
#[derive(Default, Serialize)]
struct Reasoning<'a> {
    /// OpenRouter's blocks, signed or encrypted by whoever it asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
}

/// What the interpreter keeps beside text and calls, each in a block of its own.
#[derive(Default, Deserialize)]
struct Kept<'a> {
    /// Which of the answer's calls `extra_content` came with, counted from 0.
    call: Option<usize>,
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
    reasoning_field: Option<ReasoningField>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
}

/// One text goes as a string, which every server takes; several go as parts.
#[derive(Serialize)]
#[serde(untagged)]
enum UserContent<'a> {
    One(&'a str),
    Parts(Vec<TextPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TextPart<'a> {
    Text { text: &'a str },
}

/// The parts of the body. OpenAI renamed a parameter that the compatible servers know by its old name, and has one of its own.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>, server: Server) -> Result<Vec<Bytes>, Failure> {
    let mut body = Body::default();
    let mut ids = CallIds::default();
    // The system prompt is a message here; it belongs to the head.
    let mut first = head(&mut body, request, server)?;
    for message in request.messages {
        for wire in messages(request, message, &mut ids)?.iter() {
            if !std::mem::take(&mut first) {
                body.raw(",");
            }
            body.raw(wire);
        }
        body.cut();
    }
    body.raw("]}");
    Ok(body.finish())
}

/// Returns whether no message has been written yet.
fn head(body: &mut Body, request: &ModelRequest<'_>, server: Server) -> Result<bool, Failure> {
    body.raw("{");
    body.field("model", &request.model.model())?;
    body.field("stream", &true)?;
    let include_obfuscation = (server == Server::OpenAi).then_some(false);
    body.field("stream_options", &StreamOptions { include_usage: true, include_obfuscation })?;
    if let Some(limit) = request.max_output_tokens {
        body.field(if server == Server::Compatible { "max_tokens" } else { "max_completion_tokens" }, &limit)?;
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, description) = (tool.name.as_str(), tool.description.as_str());
            let parameters = schema(name, &tool.input_schema)?;
            Ok(Tool { r#type: "function", function: Function { name, description, parameters } })
        });
        body.field("tools", &tools.collect::<Result<Vec<_>, Failure>>()?)?;
    }
    body.name("messages")?;
    body.raw("[");
    let first = request.system.trim().is_empty();
    if !first {
        body.value(&Wire::System { content: request.system })?;
    }
    body.cut();
    Ok(first)
}

/// The messages on the wire, as JSON texts, that one of ours becomes: an answer's tool results follow it at once.
fn messages(request: &ModelRequest<'_>, message: &Message, ids: &mut CallIds) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    if let Message::User { content, .. } = message {
        let content = match said(content)[..] {
            [one] => UserContent::One(one),
            ref several => UserContent::Parts(several.iter().map(|text| TextPart::Text { text }).collect()),
        };
        return Ok(vec![json_text(&Wire::User { content })?]);
    }
    let parts = sent(request, message, Protocol::OpenAiChat.dialect(), ids)?;
    let texts = parts.iter().filter_map(|part| if let Sent::Text(text) = part { Some(*text) } else { None });
    let content: String = texts.collect();
    let mut tool_calls = Vec::new();
    for (n, call) in calls(&parts).enumerate() {
        let function = CalledFunction { name: &call.name, arguments: json_text(&call.input)? };
        let extra_content = parts.iter().find_map(|part| kept(part).filter(|kept| kept.call == Some(n))?.extra_content);
        tool_calls.push(Call { id: &call.id, r#type: "function", function, extra_content });
    }
    let reasoning = if tool_calls.is_empty() { Reasoning::default() } else { reasoning(&parts) };
    if !content.is_empty() || !tool_calls.is_empty() {
        out.push(json_text(&Wire::Assistant { content, reasoning, tool_calls })?);
    }
    for call in calls(&parts) {
        out.push(json_text(&Wire::Tool { tool_call_id: &call.id, content: call.named_output() })?);
    }
    Ok(out)
}

fn kept<'a>(part: &Sent<'a>) -> Option<Kept<'a>> {
    if let Sent::Opaque(block) = part { serde_json::from_str(block.get()).ok() } else { None }
}

fn reasoning<'a>(parts: &[Sent<'a>]) -> Reasoning<'a> {
    let blocks = || parts.iter().filter_map(kept);
    let reasoning_details = blocks().filter_map(|kept| kept.reasoning_details).next_back();
    if reasoning_details.is_some() {
        return Reasoning { reasoning_details, ..Reasoning::default() };
    }
    let pieces = parts.iter().filter_map(|part| if let Sent::Reasoning { text, .. } = part { Some(*text) } else { None });
    let text = Some(pieces.collect::<String>()).filter(|text| !text.is_empty());
    match blocks().filter_map(|kept| kept.reasoning_field).next_back() {
        Some(ReasoningField::ReasoningContent) => Reasoning { reasoning_content: text, ..Reasoning::default() },
        Some(ReasoningField::Reasoning) => Reasoning { reasoning: text, ..Reasoning::default() },
        None => Reasoning::default(),
    }
}
