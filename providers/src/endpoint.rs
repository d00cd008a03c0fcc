//! One configured provider: where it is, how it is spoken to, and with which key.

use crate::{anthropic_messages, api_key::ApiKey, protocol::Protocol};
use reqwest::{
    Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What stands before the slash in the names of its models.
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    base: Url,
    key: Option<ApiKey>,
}

/// Why a base URL is not taken. The URL itself is not shown: it may hold a secret by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    #[error("it is no absolute URL")]
    Malformed,
    #[error("it does not begin with http:// or https://")]
    Scheme,
    #[error("it holds a user name or password; the key belongs in its own variable")]
    Credentials,
    #[error("it holds a query or a fragment")]
    Query,
}

impl Endpoint {
    /// `base` as people write it: the address of the server, with or without `/v1` and a slash at the end. A path other
    /// than `/v1` is kept (`https://openrouter.ai/api/v1`), and the full path of the call itself is understood too.
    pub(crate) fn new(name: &'static str, protocol: Protocol, base: &str, key: Option<ApiKey>) -> Result<Self, InvalidBaseUrl> {
        let mut base = Url::parse(base.trim()).map_err(|_| InvalidBaseUrl::Malformed)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidBaseUrl::Scheme);
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(InvalidBaseUrl::Credentials);
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(InvalidBaseUrl::Query);
        }
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/chat/completions").or_else(|| path.strip_suffix("/messages")).unwrap_or(path);
        let path = if path.is_empty() || (protocol == Protocol::AnthropicMessages && !path.ends_with("/v1")) {
            format!("{path}/v1")
        } else {
            path.to_owned()
        };
        base.set_path(&path);
        Ok(Self { name, protocol, base, key })
    }

    /// Whether this is OpenAI itself, and not something compatible.
    pub(crate) fn is_openai(&self) -> bool {
        self.base.host_str().is_some_and(|host| host == "api.openai.com" || host.ends_with(".api.openai.com"))
    }

    /// Where requests to models go.
    pub(crate) fn completion_url(&self) -> Url {
        self.url(if self.protocol == Protocol::AnthropicMessages { "messages" } else { "chat/completions" })
    }

    pub(crate) fn models_url(&self) -> Url {
        let mut url = self.url("models");
        if self.protocol == Protocol::AnthropicMessages {
            url.set_query(Some("limit=1000"));
        }
        url
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path()));
        url
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        let key = self.key.as_ref();
        if self.protocol == Protocol::AnthropicMessages {
            headers.insert("anthropic-version", HeaderValue::from_static(anthropic_messages::VERSION));
            if let Some(key) = key.and_then(|key| key.header("")) {
                headers.insert(HeaderName::from_static("x-api-key"), key);
            }
        } else if let Some(key) = key.and_then(|key| key.header("Bearer ")) {
            headers.insert(AUTHORIZATION, key);
        }
        headers
    }

    pub(crate) fn key(&self) -> Option<&ApiKey> {
        self.key.as_ref()
    }

    /// Blots the key out of a text that came from outside.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.redact(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(protocol: Protocol, base: &str) -> Result<String, InvalidBaseUrl> {
        Endpoint::new("x", protocol, base, None).map(|endpoint| endpoint.completion_url().to_string())
    }

    #[test]
    fn base_urls_are_read_as_people_write_them() {
        let chat = |base| url(Protocol::OpenAiChat, base).unwrap();
        for base in ["http://h:1", "http://h:1/", "http://h:1/v1", " http://h:1/v1/ ", "http://h:1/v1/chat/completions"] {
            assert_eq!(chat(base), "http://h:1/v1/chat/completions", "{base}");
        }
        assert_eq!(chat("https://openrouter.ai/api/v1"), "https://openrouter.ai/api/v1/chat/completions");
        let messages = |base| url(Protocol::AnthropicMessages, base).unwrap();
        for base in ["https://a", "https://a/v1/", "https://a/v1/messages"] {
            assert_eq!(messages(base), "https://a/v1/messages", "{base}");
        }
        assert_eq!(messages("https://proxy/anthropic"), "https://proxy/anthropic/v1/messages");
    }

    #[test]
    fn base_urls_with_secrets_or_nonsense_are_refused() {
        let chat = |base| url(Protocol::OpenAiChat, base);
        assert_eq!(chat("localhost"), Err(InvalidBaseUrl::Malformed));
        assert_eq!(chat("localhost:8080"), Err(InvalidBaseUrl::Scheme));
        assert_eq!(chat("http://me:secret@h/v1"), Err(InvalidBaseUrl::Credentials));
        assert_eq!(chat("http://h/v1?key=secret"), Err(InvalidBaseUrl::Query));
    }
}
