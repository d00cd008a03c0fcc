//! From a conversation to the body of `POST {base}/chat/completions`.
//!
//! Reasoning is not sent back: OpenAI takes none here, and what compatible servers want differs from one to the next.

use crate::{
    body::{Body, schema},
    history::{CallIds, EMPTY_MESSAGE, NO_OUTPUT, NO_RESULT, ToolInput, outcome_prefix, tool_name},
    request::ModelRequest,
};
use bytes::Bytes;
use docket_domain::{
    conversation::{AssistantPart, Message, PromptPart},
    failure::Failure,
};
use serde::Serialize;
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
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: String,
    },
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

/// The parts of the body. `official`: whether it goes to OpenAI itself, which renamed a parameter that the compatible
/// servers know by its old name, and has one of its own.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>, official: bool) -> Result<Vec<Bytes>, Failure> {
    let mut body = Body::default();
    let mut ids = CallIds::default();
    // The system prompt is a message here; it belongs to the head.
    let mut first = head(&mut body, request, official)?;
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
fn head(body: &mut Body, request: &ModelRequest<'_>, official: bool) -> Result<bool, Failure> {
    body.raw("{");
    body.field("model", &request.model.model())?;
    body.field("stream", &true)?;
    body.field("stream_options", &StreamOptions { include_usage: true, include_obfuscation: official.then_some(false) })?;
    if let Some(limit) = request.max_output_tokens {
        body.field(if official { "max_completion_tokens" } else { "max_tokens" }, &limit)?;
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, description) = (tool.name.as_str(), tool.description.as_str());
            let parameters = schema(name, &tool.input_schema)?;
            Ok(Tool { r#type: "function", function: Function { name, description, parameters } })
        });
        body.field("tools", &tools.collect::<Result<Vec<_>, Failure>>()?)?;
    }
    body.raw(",\"messages\":[");
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
    match message {
        Message::User { content, .. } => {
            let texts = content.iter().map(|PromptPart::Text { text }| text.as_str());
            let said: Vec<&str> = texts.filter(|text| !text.trim().is_empty()).collect();
            let content = match said[..] {
                [] => UserContent::One(EMPTY_MESSAGE),
                [one] => UserContent::One(one),
                _ => UserContent::Parts(said.into_iter().map(|text| TextPart::Text { text }).collect()),
            };
            out.push(json_text(&Wire::User { content })?);
        }
        Message::Assistant { parts, .. } => {
            let ids: Vec<String> = message.tool_calls().map(|(call, _)| ids.id(call)).collect();
            let names: Vec<_> = message.tool_calls().map(|(call, _)| tool_name(&call.name)).collect();
            let texts = parts.iter().filter_map(|part| match part {
                AssistantPart::Text { text } => Some(text.as_str()),
                _ => None,
            });
            let content: String = texts.collect();
            let mut tool_calls = Vec::new();
            for ((id, name), (call, _)) in ids.iter().zip(&names).zip(message.tool_calls()) {
                let arguments = json_text(&ToolInput::new(&call.input))?;
                tool_calls.push(Call { id, r#type: "function", function: CalledFunction { name, arguments } });
            }
            if !content.is_empty() || !tool_calls.is_empty() {
                out.push(json_text(&Wire::Assistant { content, tool_calls })?);
            }
            for (id, (_, result)) in ids.iter().zip(message.tool_calls()) {
                let (prefix, content) = match result {
                    Some(result) => (outcome_prefix(result.outcome), request.output(&result.output)?),
                    None => ("Error: ", NO_RESULT),
                };
                let content = if content.trim().is_empty() { NO_OUTPUT } else { content };
                out.push(json_text(&Wire::Tool { tool_call_id: id, content: format!("{prefix}{content}") })?);
            }
        }
    }
    Ok(out)
}

fn json_text(value: &impl Serialize) -> Result<String, Failure> {
    let mut body = Body::default();
    body.value(value)?;
    Ok(String::from_utf8_lossy(&body.finish().concat()).into_owned())
}
