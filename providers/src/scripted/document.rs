//! The request to the scripted model: the conversation itself, as JSON.

use crate::{
    body::{Body, schema},
    request::ModelRequest,
};
use bytes::Bytes;
use docket_domain::{
    conversation::{Message, ToolDefinition, ToolOutput, ToolResult},
    failure::Failure,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(super) model: String,
    pub(super) tools: Vec<ToolDefinition>,
    pub(super) messages: Vec<Message>,
}

/// The parts of the body.
///
/// # Errors
/// Of class `Configuration`, if a tool's schema is no JSON object or a tool's output is not at hand.
pub(crate) fn encode(request: &ModelRequest<'_>) -> Result<Vec<Bytes>, Failure> {
    let mut body = Body::default();
    body.raw("{");
    body.field("model", &request.model.model())?;
    body.field("max_output_tokens", &request.max_output_tokens)?;
    body.field("system", &request.system)?;
    for tool in request.tools {
        schema(&tool.name, &tool.input_schema)?;
    }
    body.field("tools", &request.tools)?;
    body.raw(",\"messages\":[");
    body.cut();
    for (n, message) in request.messages.iter().enumerate() {
        if n > 0 {
            body.raw(",");
        }
        body.value(&inlined(request, message)?)?;
        body.cut();
    }
    body.raw("]}");
    Ok(body.finish())
}

/// The message with its tool outputs in it.
fn inlined(request: &ModelRequest<'_>, message: &Message) -> Result<Message, Failure> {
    let mut message = message.clone();
    if let Message::Assistant { results, .. } = &mut message {
        for ToolResult { output, .. } in results.iter_mut().flatten() {
            *output = ToolOutput::Inline { text: request.output(output)?.to_owned() };
        }
    }
    Ok(message)
}
