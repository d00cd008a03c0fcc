//! From a conversation to the body of `POST {base}/models/{model}:streamGenerateContent`.
//!
//! Caching needs no marker: a request that begins like an earlier one is recognised.

use super::signature::{Of, Signature};
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
use serde::Serialize;
use serde_json::value::RawValue;

const SHAPE: Shape =
    Shape { assistant: "model", content: "parts", opening: r#"{"text":"(The conversation goes on from here.)"}"# };

/// Since version 3 a model refuses a call of the current turn that has no signature. Calls that another model made have
/// none, and this is what Google's documentation says to put there.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Content<'a> {
    Text(&'a str),
    FunctionCall { id: &'a str, name: &'a str, args: ToolInput<'a> },
    FunctionResponse { id: &'a str, name: &'a str, response: Response<'a> },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Response<'a> {
    Output(&'a str),
    Error(String),
}

impl<'a> Content<'a> {
    fn part(self) -> Part<'a> {
        Part { content: self, thought: None, thought_signature: None }
    }
}

#[derive(Serialize)]
struct Instruction<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    max_output_tokens: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    /// A schema in the usual form; `parameters` would be Google's own.
    parameters_json_schema: &'a RawValue,
}

/// The parts of the body. The model is in the URL.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>) -> Result<Vec<Bytes>, Failure> {
    let mut turns = Turns::new(SHAPE);
    head(&mut turns.body, request)?;
    let mut ids = CallIds::default();
    for message in request.messages {
        write(&mut turns, request, message, &mut ids)?;
        turns.body.cut();
    }
    Ok(turns.finish("}"))
}

fn head(body: &mut Body, request: &ModelRequest<'_>) -> Result<(), Failure> {
    body.raw("{");
    if let Some(max_output_tokens) = request.max_output_tokens {
        body.field("generationConfig", &GenerationConfig { max_output_tokens })?;
    }
    if !request.system.trim().is_empty() {
        body.field("systemInstruction", &Instruction { parts: [Content::Text(request.system).part()] })?;
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, description) = (tool.name.as_str(), tool.description.as_str());
            Ok(Declaration { name, description, parameters_json_schema: schema(name, &tool.input_schema)? })
        });
        body.field("tools", &[Tools { function_declarations: tools.collect::<Result<Vec<_>, Failure>>()? }])?;
    }
    body.name("contents")?;
    body.raw("[");
    body.cut();
    Ok(())
}

fn write(turns: &mut Turns, request: &ModelRequest<'_>, message: &Message, ids: &mut CallIds) -> Result<(), Failure> {
    if let Message::User { content, .. } = message {
        return said(content).into_iter().try_for_each(|text| turns.block(Role::User, &Content::Text(text).part()));
    }
    let parts = sent(request, message, Protocol::Gemini.dialect(), ids)?;
    let mut stand_in = Some(NO_SIGNATURE.to_owned()).filter(|_| validates(request.model.model()));
    for (n, part) in parts.iter().enumerate() {
        let signature = |of: Of| match parts.get(n + 1) {
            Some(Sent::Opaque(block)) => {
                Signature::read(block.get()).filter(|next| next.of == of).map(|next| next.thought_signature)
            }
            _ => None,
        };
        let part = match part {
            Sent::Text(text) => Part { thought_signature: signature(Of::Text), ..Content::Text(text).part() },
            // Thoughts are a summary for people; only their proof matters to the model.
            Sent::Reasoning { signature: "", .. } => continue,
            Sent::Reasoning { text, signature } => {
                Part { thought: Some(true), thought_signature: Some((*signature).to_owned()), ..Content::Text(text).part() }
            }
            Sent::Call(call) => {
                // Of parallel calls only the first has one.
                let thought_signature = signature(Of::FunctionCall).or_else(|| stand_in.take());
                stand_in = None;
                let content = Content::FunctionCall { id: &call.id, name: &call.name, args: call.input };
                Part { thought_signature, ..content.part() }
            }
            Sent::Opaque(block) => {
                if Signature::read(block.get()).is_none() {
                    turns.block(Role::Assistant, block)?;
                }
                continue;
            }
        };
        turns.block(Role::Assistant, &part)?;
    }
    calls(&parts).try_for_each(|call| turns.block(Role::User, &response(call)))
}

/// Whether a model insists on signatures: every Gemini but the first two generations.
fn validates(model: &str) -> bool {
    model.strip_prefix("gemini-").is_some_and(|version| !version.starts_with(['1', '2']))
}

fn response<'a>(call: &'a SentCall<'_>) -> Part<'a> {
    let response = match call.outcome {
        ToolOutcome::Ok => Response::Output(call.output),
        ToolOutcome::Error => Response::Error(call.output.to_owned()),
        ToolOutcome::Unknown | ToolOutcome::Cancelled => Response::Error(call.named_output()),
    };
    Content::FunctionResponse { id: &call.id, name: &call.name, response }.part()
}
