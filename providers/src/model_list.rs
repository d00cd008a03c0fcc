//! Which models a provider has.

use crate::{
    endpoint::Endpoint,
    failure::ErrorBody,
    limits::Limits,
    protocol::Protocol,
    transport::{document, refused, unreachable},
};
use docket_domain::{
    failure::{Failure, FailureClass},
    model_name::ModelName,
};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::time::timeout;

/// A model that a provider offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    pub name: ModelName,
    /// The provider's name, as in [`Providers::names`](crate::Providers::names).
    pub provider: String,
    /// What the provider calls it for people.
    pub display_name: Option<String>,
    /// Tokens, where the provider says so.
    pub context_window: Option<u64>,
    /// Tokens, where the provider says so.
    pub max_output_tokens: Option<u64>,
}

/// A provider and its models in the provider's order, or why they cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderModels {
    pub provider: String,
    pub models: Result<Vec<ModelInfo>, Failure>,
}

/// Asks the provider (`GET {base}/models`, which every protocol but Bedrock's has).
pub(crate) async fn fetch(endpoint: &Endpoint, client: &Client, limits: &Limits) -> Result<Vec<ModelInfo>, Failure> {
    let asked = async {
        let url = endpoint.models_url();
        let request = client.get(url.clone()).headers(endpoint.headers(&Method::GET, &url, b"")?);
        let mut response = request.send().await.map_err(|error| unreachable(endpoint, error))?;
        if !response.status().is_success() {
            let failure = refused(endpoint, limits, &mut response).await;
            return Err(failure.unwrap_or_else(|| Failure::new(FailureClass::Provider, "an error without a status")));
        }
        let body = document(&mut response, limits.document_bytes, limits.listing).await;
        read(endpoint, &body)
    };
    timeout(limits.listing, asked).await.unwrap_or_else(|_| {
        let message = format!("{}: the list of models did not come within {} s", endpoint.name, limits.listing.as_secs_f32());
        Err(Failure::new(FailureClass::Timeout, message))
    })
}

fn read(endpoint: &Endpoint, body: &[u8]) -> Result<Vec<ModelInfo>, Failure> {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let listed = ["data", "models", "modelSummaries"].iter().find_map(|name| document.get(*name)?.as_array());
    let Some(listed) = listed else {
        let unknown = || Failure::new(FailureClass::Provider, "the answer is no list of models");
        let failure = ErrorBody::find(&document).map_or_else(unknown, |error| error.failure(None));
        return Err(Failure::new(failure.class, endpoint.auth().redact(&format!("{}: {}", endpoint.name, failure.message))));
    };
    Ok(listed.iter().filter_map(|entry| info(endpoint, entry)).collect())
}

/// The names under which servers give a model's context window: Anthropic, Gemini, OpenRouter, vLLM, Groq, llama.cpp.
const WINDOW: &[&str] = &[
    "/max_input_tokens",
    "/inputTokenLimit",
    "/context_length",
    "/max_model_len",
    "/context_window",
    "/meta/n_ctx",
    "/meta/n_ctx_train",
];
const OUTPUT: &[&str] = &["/max_tokens", "/outputTokenLimit", "/max_completion_tokens", "/top_provider/max_completion_tokens"];

fn info(endpoint: &Endpoint, entry: &Value) -> Option<ModelInfo> {
    let id = ["id", "modelId", "name"].iter().find_map(|name| entry.get(*name)?.as_str())?;
    // Gemini names a model `models/NAME` and says what it can be asked for.
    let id = id.strip_prefix("models/").unwrap_or(id);
    let methods = entry.get("supportedGenerationMethods").and_then(Value::as_array);
    if methods.is_some_and(|methods| methods.iter().all(|method| method != "generateContent")) {
        return None;
    }
    let number = |paths: &[&str]| paths.iter().find_map(|path| entry.pointer(path)?.as_u64().filter(|count| *count > 0));
    let display_name = ["display_name", "displayName", "modelName", "name"]
        .iter()
        .find_map(|name| entry.get(name)?.as_str())
        .filter(|name| *name != id);
    Some(ModelInfo {
        name: format!("{}/{id}", endpoint.name).parse().ok()?,
        provider: endpoint.name.to_owned(),
        display_name: display_name.map(str::to_owned),
        context_window: number(WINDOW),
        max_output_tokens: number(OUTPUT),
    })
}

/// What stands in the names of models that do not chat, in the lists of providers that have all sorts.
const NO_CHAT: &[&str] = &[
    "embed",
    "whisper",
    "tts",
    "dall-e",
    "moderation",
    "transcribe",
    "realtime",
    "audio",
    "image",
    "sora",
    "rerank",
    "babbage",
    "davinci",
];

/// The model to use where nobody chose one: the first that is listed, leaving out those that do not chat; where there is no
/// list, what the endpoint is likely to know.
pub(crate) fn default_of(endpoint: &Endpoint, listed: &[ModelInfo]) -> Option<ModelName> {
    let chats = |info: &&ModelInfo| !NO_CHAT.iter().any(|word| info.name.model().to_ascii_lowercase().contains(word));
    if let Some(info) = listed.iter().find(chats).or_else(|| listed.first()) {
        return Some(info.name.clone());
    }
    let fallback = match endpoint.protocol {
        Protocol::AnthropicMessages => "claude-sonnet-4-6",
        Protocol::Gemini => "gemini-flash-latest",
        _ => "default",
    };
    format!("{}/{fallback}", endpoint.name).parse().ok()
}
