//! Which providers there are, from the usual environment variables.

use crate::{
    api_key::ApiKey, auth::Auth, aws::Credentials, base_url, base_url::InvalidBaseUrl, endpoint::Endpoint, protocol::Protocol,
};
use docket_domain::model_name::InvalidModelName;

/// A variable that cannot be used. Its value is never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable} cannot be used: {reason}")]
    BaseUrl { variable: &'static str, reason: InvalidBaseUrl },
    #[error("{variable} cannot be used: it holds characters that no key has")]
    Key { variable: &'static str },
    #[error("{variable} cannot be used: it is neither responses nor chat")]
    WireApi { variable: &'static str },
    #[error("{missing} is needed too, since {present} is set")]
    Missing { missing: &'static str, present: &'static str },
    #[error(transparent)]
    ModelName(#[from] InvalidModelName),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// The configured endpoints, in the order of preference. A key alone means the provider itself; a base URL alone means a
/// server that wants no key.
pub(crate) fn endpoints(get: impl Fn(&str) -> Option<String>) -> Result<Vec<Endpoint>, ConfigError> {
    let variables = Variables(&get);
    let all = [anthropic(&variables)?, openai(&variables)?, gemini(&variables)?, azure(&variables)?, bedrock(&variables)?];
    Ok(all.into_iter().flatten().collect())
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// What a variable says; blank means nothing.
    fn set(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn key(&self, variable: &'static str) -> Result<Option<ApiKey>, ConfigError> {
        self.set(variable).map(|key| ApiKey::new(&key).ok_or(ConfigError::Key { variable })).transpose()
    }

    /// Which of OpenAI's two protocols is chosen, if one is.
    fn wire_api(&self, variable: &'static str) -> Result<Option<Protocol>, ConfigError> {
        match self.set(variable).as_deref() {
            None => Ok(None),
            Some("responses") => Ok(Some(Protocol::OpenAiResponses)),
            Some("chat") => Ok(Some(Protocol::OpenAiChat)),
            Some(_) => Err(ConfigError::WireApi { variable }),
        }
    }
}

fn anthropic(variables: &Variables<'_>) -> Result<Option<Endpoint>, ConfigError> {
    const BASE: &str = "ANTHROPIC_BASE_URL";
    let (key, base) = (variables.key("ANTHROPIC_API_KEY")?, variables.set(BASE));
    if key.is_none() && base.is_none() {
        return Ok(None);
    }
    let auth = key.map_or(Auth::None, |key| Auth::Header("x-api-key", key));
    let base = base.as_deref().unwrap_or("https://api.anthropic.com");
    endpoint(BASE, Endpoint::new("anthropic", Protocol::AnthropicMessages, base, auth))
}

/// OpenAI itself speaks Responses. Another address is taken for something compatible, which speaks Chat Completions as a
/// rule; `OPENAI_WIRE_API` decides otherwise.
fn openai(variables: &Variables<'_>) -> Result<Option<Endpoint>, ConfigError> {
    const BASE: &str = "OPENAI_BASE_URL";
    let (key, base) = (variables.key("OPENAI_API_KEY")?, variables.set(BASE));
    if key.is_none() && base.is_none() {
        return Ok(None);
    }
    let auth = key.map_or(Auth::None, Auth::Bearer);
    let base = base.as_deref().unwrap_or("https://api.openai.com/v1");
    let own = base_url::read(Protocol::OpenAiResponses, base).is_ok_and(|base| base_url::is_openai(&base));
    let by_default = if own { Protocol::OpenAiResponses } else { Protocol::OpenAiChat };
    let protocol = variables.wire_api("OPENAI_WIRE_API")?.unwrap_or(by_default);
    endpoint(BASE, Endpoint::new("openai", protocol, base, auth))
}

fn gemini(variables: &Variables<'_>) -> Result<Option<Endpoint>, ConfigError> {
    const BASE: &str = "GOOGLE_GEMINI_BASE_URL";
    let (key, base) = (variables.key("GEMINI_API_KEY")?, variables.set(BASE));
    if key.is_none() && base.is_none() {
        return Ok(None);
    }
    // Never in the query, where every log on the way would show it.
    let auth = key.map_or(Auth::None, |key| Auth::Header("x-goog-api-key", key));
    let base = base.as_deref().unwrap_or("https://generativelanguage.googleapis.com");
    endpoint(BASE, Endpoint::new("gemini", Protocol::Gemini, base, auth))
}

/// A dated `AZURE_OPENAI_API_VERSION` means the older URLs with the deployment in them, where there are only Chat
/// Completions.
fn azure(variables: &Variables<'_>) -> Result<Option<Endpoint>, ConfigError> {
    const ENDPOINT: &str = "AZURE_OPENAI_ENDPOINT";
    const KEY: &str = "AZURE_OPENAI_API_KEY";
    let (key, address) = (variables.key(KEY)?, variables.set(ENDPOINT));
    let Some(address) = address else {
        return if key.is_some() { Err(ConfigError::Missing { missing: ENDPOINT, present: KEY }) } else { Ok(None) };
    };
    let version = variables.set("AZURE_OPENAI_API_VERSION").filter(|version| version != "v1");
    let dated = version.as_ref().is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    let by_default = if dated { Protocol::OpenAiChat } else { Protocol::OpenAiResponses };
    let protocol = variables.wire_api("AZURE_OPENAI_WIRE_API")?.unwrap_or(by_default);
    let auth = key.map_or(Auth::None, |key| Auth::Header("api-key", key));
    endpoint(ENDPOINT, Endpoint::azure(protocol, &address, auth, version))
}

/// Credentials of Amazon's alone are no wish for Bedrock: they are set on many machines for other reasons. A region, a
/// bearer token or the endpoint's address is needed too.
fn bedrock(variables: &Variables<'_>) -> Result<Option<Endpoint>, ConfigError> {
    const BASE: &str = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME";
    const REGION: &str = "AWS_REGION";
    const BEARER: &str = "AWS_BEARER_TOKEN_BEDROCK";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    const ID: &str = "AWS_ACCESS_KEY_ID";
    let (bearer, id, secret) = (variables.key(BEARER)?, variables.key(ID)?, variables.key(SECRET)?);
    let region = variables.set(REGION).or_else(|| variables.set("AWS_DEFAULT_REGION"));
    let (runtime, control) = (variables.set(BASE), variables.set("AWS_ENDPOINT_URL_BEDROCK"));
    let credentialed = bearer.is_some() || (id.is_some() && secret.is_some());
    if runtime.is_none() && !(credentialed && region.is_some()) {
        return match bearer {
            Some(_) => Err(ConfigError::Missing { missing: REGION, present: BEARER }),
            None => Ok(None),
        };
    }
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    if !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(ConfigError::BaseUrl { variable: REGION, reason: InvalidBaseUrl::Malformed });
    }
    let own = |service: &str| format!("https://{service}.{region}.amazonaws.com");
    let base = runtime.clone().unwrap_or_else(|| own("bedrock-runtime"));
    // A runtime of one's own lists its models itself, unless it is said where.
    let listing = control.or(runtime).unwrap_or_else(|| own("bedrock"));
    let auth = match (bearer, id, secret) {
        (Some(key), ..) => Auth::Bearer(key),
        (None, Some(id), Some(secret)) => {
            let (access_key_id, session_token) = (id.text().to_owned(), variables.key("AWS_SESSION_TOKEN")?);
            Auth::Aws(Credentials { access_key_id, secret, session_token, region })
        }
        (None, Some(_), None) => return Err(ConfigError::Missing { missing: SECRET, present: ID }),
        (None, None, Some(_)) => return Err(ConfigError::Missing { missing: ID, present: SECRET }),
        (None, None, None) => Auth::None,
    };
    let made = Endpoint::new("bedrock", Protocol::BedrockConverse, &base, auth);
    endpoint(BASE, made.and_then(|endpoint| endpoint.listing_at(&listing)))
}

fn endpoint(variable: &'static str, made: Result<Endpoint, InvalidBaseUrl>) -> Result<Option<Endpoint>, ConfigError> {
    made.map(Some).map_err(|reason| ConfigError::BaseUrl { variable, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(vars: &[(&str, &str)]) -> Result<Vec<Endpoint>, ConfigError> {
        endpoints(|name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    fn names(vars: &[(&str, &str)]) -> Result<Vec<&'static str>, ConfigError> {
        made(vars).map(|endpoints| endpoints.iter().map(|endpoint| endpoint.name).collect())
    }

    fn protocol(vars: &[(&str, &str)]) -> Protocol {
        made(vars).unwrap()[0].protocol
    }

    #[test]
    fn a_key_or_a_base_url_makes_a_provider() {
        assert_eq!(names(&[]), Ok(vec![]));
        assert_eq!(names(&[("OPENAI_API_KEY", " "), ("OPENAI_BASE_URL", "")]), Ok(vec![]));
        assert_eq!(names(&[("OPENAI_BASE_URL", "http://localhost:1")]), Ok(vec!["openai"]));
        assert_eq!(names(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]), Ok(vec!["anthropic", "openai"]));
        assert_eq!(names(&[("GEMINI_API_KEY", "k"), ("AZURE_OPENAI_ENDPOINT", "http://h")]), Ok(vec!["gemini", "azure"]));
    }

    #[test]
    fn credentials_of_amazon_are_a_provider_where_bedrock_is_meant() {
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(names(&keys), Ok(vec![]));
        assert_eq!(names(&[keys[0], keys[1], ("AWS_REGION", "eu-west-1")]), Ok(vec!["bedrock"]));
        assert_eq!(names(&[("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h")]), Ok(vec!["bedrock"]));
        let token = names(&[("AWS_BEARER_TOKEN_BEDROCK", "t")]).unwrap_err();
        assert_eq!(token.to_string(), "AWS_REGION is needed too, since AWS_BEARER_TOKEN_BEDROCK is set");
        let half = names(&[keys[0], ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://h")]).unwrap_err();
        assert_eq!(half, ConfigError::Missing { missing: "AWS_SECRET_ACCESS_KEY", present: "AWS_ACCESS_KEY_ID" });
        let region = names(&[keys[0], keys[1], ("AWS_REGION", "evil.example/")]).unwrap_err();
        assert!(!region.to_string().contains("evil"));
        let all = made(&[keys[0], keys[1], ("AWS_REGION", "eu-west-1")]).unwrap();
        assert!(all[0].completion_url("m").as_str().starts_with("https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/"));
        assert!(all[0].models_url().as_str().starts_with("https://bedrock.eu-west-1.amazonaws.com/foundation-models?"));
    }

    #[test]
    fn openai_speaks_responses_and_what_is_compatible_speaks_chat() {
        let (own, other) = (("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://localhost:1"));
        assert_eq!(protocol(&[own]), Protocol::OpenAiResponses);
        assert_eq!(protocol(&[own, ("OPENAI_BASE_URL", "https://eu.api.openai.com/v1")]), Protocol::OpenAiResponses);
        assert_eq!(protocol(&[own, other]), Protocol::OpenAiChat);
        assert_eq!(protocol(&[other, ("OPENAI_WIRE_API", "responses")]), Protocol::OpenAiResponses);
        assert_eq!(protocol(&[own, ("OPENAI_WIRE_API", "chat")]), Protocol::OpenAiChat);
        assert!(made(&[own, ("OPENAI_WIRE_API", "telnet")]).is_err());
        let azure = ("AZURE_OPENAI_ENDPOINT", "http://h");
        assert_eq!(protocol(&[azure]), Protocol::OpenAiResponses);
        assert_eq!(protocol(&[azure, ("AZURE_OPENAI_API_VERSION", "2024-10-21")]), Protocol::OpenAiChat);
    }

    #[test]
    fn errors_show_no_value() {
        let error = names(&[("OPENAI_API_KEY", "sk-secret\n-x")]).unwrap_err();
        assert_eq!(error.to_string(), "OPENAI_API_KEY cannot be used: it holds characters that no key has");
        let error = names(&[("ANTHROPIC_BASE_URL", "https://u:secret@h")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
