//! The request of the next model call: the conversation as of now, under the policy as of now.

use crate::{control::Control, error::CommandError, tools, turn::system_prompt};
use docket_domain::{
    chat::Chat,
    conversation::{ToolOutput, ToolResult},
    failure::{Failure, FailureClass},
    ids::ChatId,
    model_name::ModelName,
    policy::Policy,
};
use docket_providers::{EncodedRequest, ModelRequest};
use std::collections::{BTreeSet, HashMap};

/// Why no request was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The turn cannot go on.
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Command(#[from] CommandError),
}

fn refuse(message: String) -> RequestError {
    RequestError::Failed(Failure::new(FailureClass::Configuration, message))
}

impl Control {
    pub(super) async fn next_request(&self, chat: ChatId) -> Result<EncodedRequest, RequestError> {
        let policy = self.current_policy().await?;
        let state = |chat: &Chat, _| {
            let turn = chat.turn.as_ref();
            (turn.map_or(0, |turn| turn.steps), turn.and_then(|turn| turn.model.clone()), outputs_of(chat))
        };
        let (steps, chosen, hashes) = self.chats.read(chat.0, state).await.map_err(CommandError::from)?;
        if steps >= policy.step_limit {
            return Err(refuse(format!("the turn reached the limit of {} steps", policy.step_limit)));
        }
        let model = self.model_for(chosen, &policy).await?;
        let outputs = self.outputs(hashes).await?;
        let offered = tools::offered(&policy);
        let system = policy.system_prompt.as_deref().unwrap_or(system_prompt::BUILT_IN);
        let encode = |chat: &Chat, _| {
            self.providers.encode(&ModelRequest {
                model: &model,
                system,
                messages: &chat.messages,
                outputs: &outputs,
                tools: &offered,
                max_output_tokens: None,
            })
        };
        Ok(self.chats.read(chat.0, encode).await.map_err(CommandError::from)??)
    }

    /// The model that the turn asks for, else the policy's default, else the providers'.
    async fn model_for(&self, chosen: Option<ModelName>, policy: &Policy) -> Result<ModelName, RequestError> {
        let model = match chosen.or_else(|| policy.default_model.clone()) {
            Some(model) => model,
            None => self.providers.default_model().await,
        };
        if policy.allows_model(&model) {
            Ok(model)
        } else {
            Err(refuse(format!("the model {model} was withdrawn by an administrator; choose another")))
        }
    }

    /// The texts of outputs that lie in the blob table.
    async fn outputs(&self, hashes: BTreeSet<String>) -> Result<HashMap<String, String>, RequestError> {
        let mut outputs = HashMap::with_capacity(hashes.len());
        for hash in hashes {
            let bytes = self.log.blob(&hash).await.map_err(CommandError::from)?;
            let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let text = text.unwrap_or_else(|| "[the output was erased]".to_owned());
            outputs.insert(hash, text);
        }
        Ok(outputs)
    }
}

fn outputs_of(chat: &Chat) -> BTreeSet<String> {
    let results = chat.messages.iter().flat_map(|message| message.tool_calls().filter_map(|(_, result)| result));
    results
        .filter_map(|ToolResult { output, .. }| match output {
            ToolOutput::Blob { sha256, .. } => Some(sha256.clone()),
            ToolOutput::Inline { .. } => None,
        })
        .collect()
}
