//! One configured provider: where it is, how it is spoken to, and with which key.

use crate::{anthropic_messages, auth::Auth, aws::percent_encoded, base_url, base_url::InvalidBaseUrl, protocol::Protocol};
use docket_domain::failure::{Failure, FailureClass};
use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};

/// Who answers to one of OpenAI's protocols: parameters are not the same everywhere, and some servers refuse what they do
/// not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    OpenAi,
    /// OpenAI's models, behind an interface that follows with some delay.
    Azure,
    Compatible,
}

/// A provider's name, protocol, address and key.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// What stands before the slash in the names of its models.
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    base: Url,
    auth: Auth,
    /// Azure's version of the interface, where one is asked for.
    api_version: Option<String>,
    /// Azure's older form of URLs, in which the path names the deployment.
    deployments: bool,
    /// Where models are listed, if that is elsewhere.
    listing: Option<Url>,
}

impl Endpoint {
    /// `base` as people write it; see [`base_url::read`].
    pub(crate) fn new(name: &'static str, protocol: Protocol, base: &str, auth: Auth) -> Result<Self, InvalidBaseUrl> {
        let base = base_url::read(protocol, base)?;
        Ok(Self { name, protocol, base, auth, api_version: None, deployments: false, listing: None })
    }

    /// Azure's: `endpoint` is the resource's address, with or without a path. A dated `api_version` means the older form of
    /// URLs, in which the path names the deployment; without one it is the interface that needs none.
    pub(crate) fn azure(
        protocol: Protocol,
        endpoint: &str,
        auth: Auth,
        api_version: Option<String>,
    ) -> Result<Self, InvalidBaseUrl> {
        let deployments = api_version.as_ref().is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()));
        let base = base_url::azure(endpoint, deployments)?;
        Ok(Self { name: "azure", protocol, base, auth, api_version, deployments, listing: None })
    }

    /// Lists its models at another address.
    pub(crate) fn listing_at(self, base: &str) -> Result<Self, InvalidBaseUrl> {
        let listing = base_url::read(self.protocol, base)?;
        Ok(Self { listing: Some(listing), ..self })
    }

    pub(crate) fn server(&self) -> Server {
        match self.name {
            "azure" => Server::Azure,
            _ if base_url::is_openai(&self.base) => Server::OpenAi,
            _ => Server::Compatible,
        }
    }

    /// Where requests to a model go.
    pub(crate) fn completion_url(&self, model: &str) -> Url {
        match self.protocol {
            Protocol::AnthropicMessages => self.url("messages"),
            Protocol::OpenAiResponses => self.url("responses"),
            Protocol::OpenAiChat if self.deployments => {
                self.url(&format!("deployments/{}/chat/completions", percent_encoded(model)))
            }
            Protocol::OpenAiChat | Protocol::Scripted => self.url("chat/completions"),
            Protocol::Gemini => {
                let mut url = self.url(&format!("models/{}:streamGenerateContent", percent_encoded(model)));
                url.set_query(Some("alt=sse"));
                url
            }
            Protocol::BedrockConverse => self.url(&format!("model/{}/converse-stream", percent_encoded(model))),
        }
    }

    pub(crate) fn models_url(&self) -> Url {
        let mut url = self.url(if self.protocol == Protocol::BedrockConverse { "foundation-models" } else { "models" });
        if let Some(listing) = &self.listing {
            url = listing.clone();
            url.set_path(&format!("{}/foundation-models", listing.path().trim_end_matches('/')));
        }
        match self.protocol {
            Protocol::AnthropicMessages => url.set_query(Some("limit=1000")),
            Protocol::Gemini => url.set_query(Some("pageSize=1000")),
            Protocol::BedrockConverse => url.set_query(Some("byInferenceType=ON_DEMAND&byOutputModality=TEXT")),
            _ => {}
        }
        url
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        if let Some(version) = &self.api_version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        url
    }

    /// The headers of a request, which Amazon wants signed.
    ///
    /// # Errors
    /// Of class `Configuration`, if a credential cannot stand in a header.
    pub(crate) fn headers(&self, method: &Method, url: &Url, body: &[u8]) -> Result<HeaderMap, Failure> {
        const JSON: &str = "application/json";
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        let accept = match self.protocol {
            Protocol::BedrockConverse => "application/vnd.amazon.eventstream, application/json",
            _ => "text/event-stream, application/json",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if self.protocol == Protocol::AnthropicMessages {
            headers.insert("anthropic-version", HeaderValue::from_static(anthropic_messages::VERSION));
        }
        let auth = self.auth.headers(method, url, JSON, body);
        let auth =
            auth.ok_or_else(|| Failure::new(FailureClass::Configuration, format!("{}: the key cannot be sent", self.name)))?;
        headers.extend(auth);
        Ok(headers)
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_its_url() {
        let url = |protocol, base: &str, model: &str| {
            Endpoint::new("x", protocol, base, Auth::None).unwrap().completion_url(model).to_string()
        };
        assert_eq!(url(Protocol::AnthropicMessages, "https://a", "m"), "https://a/v1/messages");
        assert_eq!(url(Protocol::OpenAiChat, "http://h:1", "m"), "http://h:1/v1/chat/completions");
        assert_eq!(url(Protocol::OpenAiResponses, "https://h/v1/responses", "m"), "https://h/v1/responses");
        assert_eq!(
            url(Protocol::Gemini, "https://g", "gemini-3"),
            "https://g/v1beta/models/gemini-3:streamGenerateContent?alt=sse"
        );
        let bedrock = "https://b/model/arn%3Aaws%3Abedrock%3A%2Fx-v1%3A0/converse-stream";
        assert_eq!(url(Protocol::BedrockConverse, "https://b/", "arn:aws:bedrock:/x-v1:0"), bedrock);
    }

    #[test]
    fn azure_has_two_forms() {
        let azure = |protocol, endpoint: &str, version: Option<&str>| {
            let endpoint = Endpoint::azure(protocol, endpoint, Auth::None, version.map(str::to_owned)).unwrap();
            endpoint.completion_url("my gpt").to_string()
        };
        let host = "https://r.openai.azure.com";
        assert_eq!(azure(Protocol::OpenAiResponses, host, None), format!("{host}/openai/v1/responses"));
        let preview = format!("{host}/openai/v1/chat/completions?api-version=preview");
        assert_eq!(azure(Protocol::OpenAiChat, &format!("{host}/openai/v1/"), Some("preview")), preview);
        let dated = format!("{host}/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21");
        for path in ["", "/", "/openai", "/openai/v1", "/openai/deployments/other/chat/completions"] {
            assert_eq!(azure(Protocol::OpenAiChat, &format!("{host}{path}"), Some("2024-10-21")), dated, "{path}");
        }
    }
}
