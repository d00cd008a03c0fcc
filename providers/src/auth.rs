//! How a provider is told who asks.

use crate::{
    api_key::ApiKey,
    aws::{Credentials, signed_headers},
};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName},
};
use std::time::SystemTime;

/// What Bedrock calls itself in a signature.
const AWS_SERVICE: &str = "bedrock";

#[derive(Clone, Debug)]
pub(crate) enum Auth {
    /// A server that wants no key.
    None,
    /// `Authorization: Bearer KEY`.
    Bearer(ApiKey),
    /// The key alone, in a header of the provider's own.
    Header(&'static str, ApiKey),
    /// A signature over the request.
    Aws(Credentials),
}

impl Auth {
    /// The headers that prove it; `None` if a value cannot stand in a header.
    pub(crate) fn headers(&self, method: &Method, url: &Url, content_type: &str, body: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        match self {
            Self::None => {}
            Self::Bearer(key) => drop(headers.insert(AUTHORIZATION, key.header("Bearer ")?)),
            Self::Header(name, key) => drop(headers.insert(HeaderName::from_static(name), key.header("")?)),
            // A signature holds for minutes, and the service compares it with its own clock: it is no part of the record.
            Self::Aws(credentials) => {
                let now = SystemTime::now();
                headers = signed_headers(credentials, AWS_SERVICE, now, method, url, Some(content_type), body)?;
            }
        }
        Some(headers)
    }

    /// Blots the secrets out of a text that came from outside.
    pub(crate) fn redact(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Bearer(key) | Self::Header(_, key) => key.redact(text),
            Self::Aws(Credentials { secret, session_token, .. }) => {
                let text = secret.redact(text);
                session_token.as_ref().map_or(text.clone(), |token| token.redact(&text))
            }
        }
    }
}
