//! Model providers: one folder per wire protocol, one common stream of deltas.
//!
//! A protocol is an *encoder* (pure: a conversation becomes the exact body of a request, in parts) and an *interpreter*
//! (pure, incremental: what is received becomes [`ModelCallEvent`]s). All protocols share one transport, one classification
//! of failures and one [`Decoder`], so a raw response that was kept can be decoded again at any time.
//!
//! *Invariant:* one delta of a provider is one event; deltas are neither merged nor split. Whatever has no common meaning
//! is kept as opaque, never dropped and never an error.
//!
//! *Invariant:* every stream yields exactly one terminal event, whatever the provider sends or fails to send.
//!
//! Start reading at [`Providers`].
//!
//! [`ModelCallEvent`]: docket_domain::model_call::event::ModelCallEvent

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod anthropic_messages;
mod api_key;
mod auth;
mod aws;
mod base_url;
mod bedrock;
mod body;
mod config;
mod decoder;
mod deltas;
mod endpoint;
mod failure;
mod gemini;
mod history;
mod limits;
mod lines;
mod model_list;
mod openai_chat;
mod openai_responses;
mod protocol;
mod providers;
mod request;
pub mod scripted;
mod sse;
mod transport;
mod turns;

pub use base_url::InvalidBaseUrl;
pub use config::ConfigError;
pub use decoder::Decoder;
pub use limits::Limits;
pub use model_list::{ModelInfo, ProviderModels};
pub use protocol::Protocol;
pub use providers::Providers;
pub use request::{EncodedRequest, ModelRequest};
pub use transport::ModelStream;
