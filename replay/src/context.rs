//! The exact request of a model call.

use docket_domain::{
    ids::{ChatId, ModelCallId},
    model_call::ModelCallEvent,
    model_name::ModelName,
};
use docket_eventlog::{Log, ReadError, StreamId};
use sha2::{Digest, Sha256};

/// A request body as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelContext {
    pub chat_id: ChatId,
    pub model: ModelName,
    /// Lower-case hex; the body's, and the one that was recorded when it was sent.
    pub sha256: String,
    pub body: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("there is no such model call")]
    NotFound,
    #[error("part {sha256} of the request is not in the log")]
    PartMissing { sha256: String },
    #[error("the rebuilt request has SHA-256 {found}, but {recorded} was recorded when it was sent")]
    Differs { found: String, recorded: String },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ContextError {
    /// A stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::PartMissing { .. } => "context_part_missing",
            Self::Differs { .. } => "context_differs",
            Self::Read(error) => error.code(),
        }
    }
}

/// Rebuilds the request of a model call from the log, and proves it by its hash.
///
/// # Errors
/// When there is no such call, a part is missing, the hash differs, or the log cannot be read.
pub async fn rebuild(log: &Log, id: ModelCallId) -> Result<ModelContext, ContextError> {
    let stream = StreamId::new("model_call", id.to_string());
    let first = log.read_stream(&stream, 0, 1).await?;
    let requested = first.first().map(|event| event.decode()).transpose()?;
    let Some(ModelCallEvent::Requested { chat_id, model, body_sha256, parts, .. }) = requested else {
        return Err(ContextError::NotFound);
    };
    let mut body = Vec::new();
    for sha256 in parts {
        match log.blob(&sha256).await? {
            Some(bytes) => body.extend_from_slice(&bytes),
            None => return Err(ContextError::PartMissing { sha256 }),
        }
    }
    let found = hex::encode(Sha256::digest(&body));
    if found != body_sha256 {
        return Err(ContextError::Differs { found, recorded: body_sha256 });
    }
    Ok(ModelContext { chat_id, model, sha256: found, body })
}
