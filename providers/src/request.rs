//! What is asked of a model, and the exact bytes that ask it.

use bytes::Bytes;
use docket_domain::{
    conversation::{Message, ToolDefinition, ToolOutput},
    failure::{Failure, FailureClass},
    model_name::ModelName,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A conversation as a model is to see it, with everything that the request needs.
#[derive(Clone, Copy, Debug)]
pub struct ModelRequest<'a> {
    pub model: &'a ModelName,
    /// The system prompt; empty means none.
    pub system: &'a str,
    pub messages: &'a [Message],
    /// The texts of [`ToolOutput::Blob`]s, by SHA-256 in lower-case hex.
    pub outputs: &'a HashMap<String, String>,
    pub tools: &'a [ToolDefinition],
    /// `None` leaves the limit to the provider, or to our default where the protocol requires one.
    pub max_output_tokens: Option<u32>,
}

impl ModelRequest<'_> {
    /// The text of a tool's output.
    ///
    /// # Errors
    /// [`FailureClass::Configuration`] if it lies in a blob that was not handed in.
    pub(crate) fn output<'b>(&'b self, output: &'b ToolOutput) -> Result<&'b str, Failure> {
        match output {
            ToolOutput::Inline { text } => Ok(text),
            ToolOutput::Blob { sha256, .. } => {
                self.outputs.get(sha256).map(String::as_str).ok_or_else(|| {
                    Failure::new(FailureClass::Configuration, format!("the tool output {sha256} is not at hand"))
                })
            }
        }
    }
}

/// A request as it goes over the wire. The same conversation always gives the same bytes.
///
/// The body is cut so that a longer conversation shares its first parts with a shorter one: a head (model, parameters,
/// system prompt, tools), a part for each message that has something to say, and a tail. Stored by content hash, a part is
/// stored once however many requests contain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRequest {
    pub model: ModelName,
    /// Their concatenation is the exact body.
    pub parts: Vec<Bytes>,
}

impl EncodedRequest {
    /// The exact body.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.parts.concat().into()
    }

    /// The length of the body in bytes.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// SHA-256 of the exact body, lower-case hex.
    #[must_use]
    pub fn body_sha256(&self) -> String {
        let mut hash = Sha256::new();
        self.parts.iter().for_each(|part| hash.update(part));
        hex::encode(hash.finalize())
    }

    /// SHA-256 of each part, lower-case hex, in order.
    #[must_use]
    pub fn part_sha256s(&self) -> Vec<String> {
        self.parts.iter().map(|part| hex::encode(Sha256::digest(part))).collect()
    }
}
