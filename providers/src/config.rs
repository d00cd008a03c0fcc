//! Which providers there are, from the usual environment variables.

use crate::{
    api_key::ApiKey,
    endpoint::{Endpoint, InvalidBaseUrl},
    protocol::Protocol,
};
use docket_domain::model_name::InvalidModelName;

/// A variable that cannot be used. Its value is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable} cannot be used: {reason}")]
    BaseUrl { variable: &'static str, reason: InvalidBaseUrl },
    #[error("{variable} cannot be used: it holds characters that no key has")]
    Key { variable: &'static str },
    #[error(transparent)]
    ModelName(#[from] InvalidModelName),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// A provider's variables and what holds without them.
struct Source {
    name: &'static str,
    protocol: Protocol,
    key: &'static str,
    base_url: &'static str,
    default_base_url: &'static str,
}

const SOURCES: [Source; 2] = [
    Source {
        name: "anthropic",
        protocol: Protocol::AnthropicMessages,
        key: "ANTHROPIC_API_KEY",
        base_url: "ANTHROPIC_BASE_URL",
        default_base_url: "https://api.anthropic.com",
    },
    Source {
        name: "openai",
        protocol: Protocol::OpenAiChat,
        key: "OPENAI_API_KEY",
        base_url: "OPENAI_BASE_URL",
        default_base_url: "https://api.openai.com/v1",
    },
];

/// The configured endpoints, in the order of preference. A key alone means the provider itself; a base URL alone means a
/// server that wants no key.
pub(crate) fn endpoints(get: impl Fn(&str) -> Option<String>) -> Result<Vec<Endpoint>, ConfigError> {
    let set = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let mut endpoints = Vec::new();
    for source in SOURCES {
        let (key, base) = (set(source.key), set(source.base_url));
        if key.is_none() && base.is_none() {
            continue;
        }
        let key = key.map(|key| ApiKey::new(&key).ok_or(ConfigError::Key { variable: source.key })).transpose()?;
        let base = base.as_deref().unwrap_or(source.default_base_url);
        let endpoint = Endpoint::new(source.name, source.protocol, base, key);
        endpoints.push(endpoint.map_err(|reason| ConfigError::BaseUrl { variable: source.base_url, reason })?);
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(vars: &[(&str, &str)]) -> Result<Vec<&'static str>, ConfigError> {
        let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        endpoints(get).map(|endpoints| endpoints.iter().map(|endpoint| endpoint.name).collect())
    }

    #[test]
    fn a_key_or_a_base_url_makes_a_provider() {
        assert_eq!(names(&[]), Ok(vec![]));
        assert_eq!(names(&[("OPENAI_API_KEY", " "), ("OPENAI_BASE_URL", "")]), Ok(vec![]));
        assert_eq!(names(&[("OPENAI_BASE_URL", "http://localhost:1")]), Ok(vec!["openai"]));
        assert_eq!(names(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]), Ok(vec!["anthropic", "openai"]));
    }

    #[test]
    fn errors_show_no_value() {
        let error = names(&[("OPENAI_API_KEY", "sk-secret\n-x")]).unwrap_err();
        assert_eq!(error.to_string(), "OPENAI_API_KEY cannot be used: it holds characters that no key has");
        let error = names(&[("ANTHROPIC_BASE_URL", "https://u:secret@h")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
