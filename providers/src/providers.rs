//! The configured providers, and the one way to call a model of any of them.

use crate::{
    anthropic_messages, bedrock, config,
    config::ConfigError,
    decoder::Decoder,
    endpoint::{Endpoint, Server},
    gemini,
    limits::Limits,
    model_list::{self, ModelInfo, ProviderModels},
    openai_chat, openai_responses,
    protocol::Protocol,
    request::{EncodedRequest, ModelRequest},
    scripted,
    transport::{ModelStream, Source, client, refused, unreachable},
};
use docket_domain::{
    failure::{Failure, FailureClass},
    model_name::ModelName,
};
use reqwest::{Client, Method, header::HeaderMap};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long a failure to list models is kept, so that a page that asks often does not wait each time.
const FAILED_LISTING_KEPT: Duration = Duration::from_secs(10);

/// All providers that are configured. Cheap to clone.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    /// In the order of preference.
    providers: Vec<Provider>,
    client: Client,
    limits: Limits,
    scripted: Vec<ModelInfo>,
    /// The scripted model that stands in where there is no other.
    guided: ModelName,
}

struct Provider {
    endpoint: Endpoint,
    listed: Mutex<Option<Listed>>,
}

/// What came of asking for the models, and when.
struct Listed {
    at: Instant,
    models: Result<Vec<ModelInfo>, Failure>,
}

impl Providers {
    /// The providers that the environment names: `ANTHROPIC_API_KEY` / `ANTHROPIC_BASE_URL`, `OPENAI_API_KEY` /
    /// `OPENAI_BASE_URL` / `OPENAI_WIRE_API`, `GEMINI_API_KEY` / `GOOGLE_GEMINI_BASE_URL`, `AZURE_OPENAI_API_KEY` /
    /// `AZURE_OPENAI_ENDPOINT` / `AZURE_OPENAI_API_VERSION` / `AZURE_OPENAI_WIRE_API`, `AWS_REGION` with
    /// `AWS_BEARER_TOKEN_BEDROCK` or `AWS_ACCESS_KEY_ID` / `AWS_SECRET_ACCESS_KEY` / `AWS_SESSION_TOKEN`, and
    /// `AWS_ENDPOINT_URL_BEDROCK_RUNTIME` / `AWS_ENDPOINT_URL_BEDROCK`. A base URL without a key is a provider too. Base URLs
    /// may end with `/v1` or not. `scripted` is always there.
    ///
    /// # Errors
    /// If a value cannot be used; the error names the variable and never shows the value.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::with_limits(get, Limits::default())
    }

    /// The same with limits of one's own.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn with_limits(get: impl Fn(&str) -> Option<String>, limits: Limits) -> Result<Self, ConfigError> {
        let endpoints = config::endpoints(get)?.into_iter();
        let providers = endpoints.map(|endpoint| Provider { endpoint, listed: Mutex::new(None) }).collect();
        let client = client(&limits)?;
        let scripted = scripted::models()?;
        let guided = scripted::guided()?;
        Ok(Self(Arc::new(Inner { providers, client, limits, scripted, guided })))
    }

    /// The names of the configured providers, `scripted` last.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let configured = self.0.providers.iter().map(|provider| provider.endpoint.name.to_owned());
        configured.chain([scripted::PROVIDER.to_owned()]).collect()
    }

    /// The wire protocol of a provider: what a kept raw response of it is to be decoded with.
    #[must_use]
    pub fn protocol(&self, provider: &str) -> Option<Protocol> {
        if provider == scripted::PROVIDER {
            return Some(Protocol::Scripted);
        }
        self.endpoint(provider).map(|endpoint| endpoint.protocol)
    }

    /// The models of all providers, one entry a provider. Lists are kept for a while; a provider that cannot list its
    /// models does not hold up the others for longer than [`Limits::listing`].
    pub async fn models(&self) -> Vec<ProviderModels> {
        let lists = self.0.providers.iter().map(|provider| async {
            let models = self.list(provider).await;
            ProviderModels { provider: provider.endpoint.name.to_owned(), models }
        });
        let mut lists = futures_util::future::join_all(lists).await;
        lists.push(ProviderModels { provider: scripted::PROVIDER.to_owned(), models: Ok(self.0.scripted.clone()) });
        lists
    }

    /// The model to use where nobody chose one: the first that the preferred provider lists (in the order of
    /// [`names`](Self::names)), or `scripted/guided` where no provider is configured. Bedrock is never preferred: its list does
    /// not say what an account may use, and Amazon's credentials are set on many machines for other reasons.
    pub async fn default_model(&self) -> ModelName {
        let preferred = |provider: &&Provider| provider.endpoint.protocol != Protocol::BedrockConverse;
        if let Some(provider) = self.0.providers.iter().find(preferred) {
            let listed = self.list(provider).await.unwrap_or_default();
            if let Some(name) = model_list::default_of(&provider.endpoint, &listed) {
                return name;
            }
        }
        self.0.guided.clone()
    }

    /// The exact body that asks a model for an answer. Pure: the same request gives the same bytes.
    ///
    /// # Errors
    /// Of class `Configuration`: the provider is not configured, a tool's schema is no JSON object, a tool's output is not
    /// at hand.
    pub fn encode(&self, request: &ModelRequest<'_>) -> Result<EncodedRequest, Failure> {
        let provider = request.model.provider();
        let server = self.endpoint(provider).map_or(Server::Compatible, Endpoint::server);
        let parts = match self.protocol(provider).ok_or_else(|| unknown(request.model))? {
            Protocol::AnthropicMessages => anthropic_messages::encode(request)?,
            Protocol::OpenAiResponses => openai_responses::encode(request, server)?,
            Protocol::OpenAiChat => openai_chat::encode(request, server)?,
            Protocol::Gemini => gemini::encode(request)?,
            Protocol::BedrockConverse => bedrock::encode(request)?,
            Protocol::Scripted => scripted::encode(request)?,
        };
        Ok(EncodedRequest { model: request.model.clone(), parts })
    }

    /// Sends a request and returns once the answer has begun.
    ///
    /// # Errors
    /// Whatever keeps the answer from beginning, in its class: no connection, an error status, a document instead of a
    /// stream. There is no retry here: each try is for the caller to record.
    pub async fn send(&self, request: &EncodedRequest) -> Result<ModelStream, Failure> {
        let limits = &self.0.limits;
        let Some(endpoint) = self.endpoint(request.model.provider()) else {
            if request.model.provider() != scripted::PROVIDER {
                return Err(unknown(&request.model));
            }
            let source = Source::scripted(scripted::Answer::new(&request.body())?);
            return Ok(ModelStream::new(source, Decoder::new(Protocol::Scripted, limits), limits));
        };
        let (url, body) = (endpoint.completion_url(request.model.model()), request.body());
        let headers = endpoint.headers(&Method::POST, &url, &body)?;
        let http = self.0.client.post(url).headers(headers).body(body);
        let sent = timeout(limits.head, http.send()).await;
        let Ok(sent) = sent else {
            let message = format!("{}: no response within {} s", endpoint.name, limits.head.as_secs_f32());
            return Err(Failure::new(FailureClass::Silence, message));
        };
        let mut response = sent.map_err(|error| unreachable(endpoint, error))?;
        if let Some(failure) = refused(endpoint, limits, &mut response).await {
            return Err(failure);
        }
        let request_id = request_id(response.headers());
        let source = Source::http(response, limits.silence);
        let stream = ModelStream::new(source, Decoder::new(endpoint.protocol, limits), limits);
        Ok(stream.of(request_id, endpoint.auth().clone()))
    }

    fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.0.providers.iter().map(|provider| &provider.endpoint).find(|endpoint| endpoint.name == name)
    }

    async fn list(&self, provider: &Provider) -> Result<Vec<ModelInfo>, Failure> {
        let mut listed = provider.listed.lock().await;
        if let Some(Listed { at, models }) = listed.as_ref() {
            let kept = if models.is_ok() { self.0.limits.listing_kept } else { FAILED_LISTING_KEPT };
            if at.elapsed() < kept {
                return models.clone();
            }
        }
        let models = model_list::fetch(&provider.endpoint, &self.0.client, &self.0.limits).await;
        *listed = Some(Listed { at: Instant::now(), models: models.clone() });
        models
    }
}

fn unknown(model: &ModelName) -> Failure {
    Failure::new(FailureClass::Configuration, format!("the provider {} is not configured", model.provider()))
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = ["request-id", "x-request-id", "apim-request-id", "x-amzn-requestid"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())?;
    Some(id.chars().take(200).collect())
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Providers").field(&self.names()).finish()
    }
}
