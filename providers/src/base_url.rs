//! Base URLs as people write them.

use crate::protocol::Protocol;
use reqwest::Url;

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

/// The address of a server, with or without `/v1` and a slash at the end. A path other than `/v1` is kept
/// (`https://openrouter.ai/api/v1`), and the full path of the call itself is understood too.
pub(crate) fn read(protocol: Protocol, text: &str) -> Result<Url, InvalidBaseUrl> {
    let mut base = parse(text)?;
    let path = base.path().trim_end_matches('/');
    let call = ["/chat/completions", "/messages", "/responses"].iter().find_map(|call| path.strip_suffix(call));
    let path = call.unwrap_or(path);
    let versioned = path.rsplit('/').next().is_some_and(|last| last.starts_with("v1"));
    let version = match protocol {
        Protocol::AnthropicMessages if !versioned => "/v1",
        Protocol::Gemini if !versioned => "/v1beta",
        Protocol::OpenAiChat | Protocol::OpenAiResponses if path.is_empty() => "/v1",
        _ => "",
    };
    let path = format!("{path}{version}");
    base.set_path(&path);
    Ok(base)
}

/// Azure's: up to `/openai`, or to `/openai/v1` where the path does not name the deployment.
pub(crate) fn azure(text: &str, deployments: bool) -> Result<Url, InvalidBaseUrl> {
    let mut base = parse(text)?;
    let path = base.path().trim_end_matches('/');
    let before = path.split_once("/openai").map_or(path, |(before, _)| before);
    let path = format!("{before}/openai{}", if deployments { "" } else { "/v1" });
    base.set_path(&path);
    Ok(base)
}

/// Whether this is OpenAI's own host.
pub(crate) fn is_openai(base: &Url) -> bool {
    base.host_str().is_some_and(|host| host == "api.openai.com" || host.ends_with(".api.openai.com"))
}

fn parse(text: &str) -> Result<Url, InvalidBaseUrl> {
    let base = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::Malformed)?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(InvalidBaseUrl::Scheme);
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(InvalidBaseUrl::Credentials);
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(InvalidBaseUrl::Query);
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_read_as_people_write_them() {
        let read = |protocol, base: &str| read(protocol, base).unwrap().to_string();
        for base in ["http://h:1", "http://h:1/", "http://h:1/v1", " http://h:1/v1/ ", "http://h:1/v1/chat/completions"] {
            assert_eq!(read(Protocol::OpenAiChat, base), "http://h:1/v1", "{base}");
        }
        assert_eq!(read(Protocol::OpenAiChat, "https://openrouter.ai/api/v1"), "https://openrouter.ai/api/v1");
        for base in ["https://a", "https://a/v1/", "https://a/v1/messages"] {
            assert_eq!(read(Protocol::AnthropicMessages, base), "https://a/v1", "{base}");
        }
        assert_eq!(read(Protocol::AnthropicMessages, "https://proxy/anthropic"), "https://proxy/anthropic/v1");
        for base in ["https://g", "https://g/v1beta/"] {
            assert_eq!(read(Protocol::Gemini, base), "https://g/v1beta", "{base}");
        }
        assert_eq!(read(Protocol::BedrockConverse, "https://b"), "https://b/");
    }

    #[test]
    fn base_urls_with_secrets_or_nonsense_are_refused() {
        let chat = |base| read(Protocol::OpenAiChat, base).map(|url| url.to_string());
        assert_eq!(chat("localhost"), Err(InvalidBaseUrl::Malformed));
        assert_eq!(chat("localhost:8080"), Err(InvalidBaseUrl::Scheme));
        assert_eq!(chat("http://me:secret@h/v1"), Err(InvalidBaseUrl::Credentials));
        assert_eq!(chat("http://h/v1?key=secret"), Err(InvalidBaseUrl::Query));
        assert_eq!(azure("http://h/openai/deployments/d?api-version=x", true).unwrap_err(), InvalidBaseUrl::Query);
    }
}
