//! Names of models.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// `provider/model`, for example `anthropic/claude-x` or `openai/org/name`: the provider is what stands before the first slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName {
    provider: String,
    model: String,
}

/// The longest name that is taken, in bytes.
pub const MAX_MODEL_NAME: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a model is named provider/model, in at most {MAX_MODEL_NAME} bytes without spaces or control characters")]
pub struct InvalidModelName;

impl ModelName {
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The name by which the provider knows the model.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl FromStr for ModelName {
    type Err = InvalidModelName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (provider, model) = text.split_once('/').ok_or(InvalidModelName)?;
        let bad = |c: char| c.is_whitespace() || c.is_control();
        if provider.is_empty() || model.is_empty() || text.len() > MAX_MODEL_NAME || text.contains(bad) {
            return Err(InvalidModelName);
        }
        Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
    }
}

impl TryFrom<String> for ModelName {
    type Error = InvalidModelName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
