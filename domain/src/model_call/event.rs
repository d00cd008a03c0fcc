//! What happened in one request to a model provider. Decoders of the wire protocols emit these events; one per delta.

use crate::{
    failure::Failure,
    ids::{ChatId, TurnId},
    model_name::ModelName,
    usage::{StopReason, Usage},
};
use serde::{Deserialize, Serialize};

/// Events of the stream `model_call-{id}`.
///
/// `index` counts the deltas of the call from 0, over all blocks; `block` is the ordinal of the content block that a delta
/// belongs to, counted from 0 in the order in which the blocks first appeared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "model_call.")]
pub enum ModelCallEvent {
    /// The request as it is about to be sent. Its exact body is the concatenation of `parts`, each a blob by SHA-256.
    Requested {
        chat_id: ChatId,
        turn_id: TurnId,
        model: ModelName,
        /// SHA-256 of the exact body, lower-case hex.
        body_sha256: String,
        body_bytes: u64,
        /// SHA-256 of each part of the body, in order.
        parts: Vec<String>,
    },
    TextStreamed {
        index: u64,
        block: u32,
        text: String,
    },
    ReasoningStreamed {
        index: u64,
        block: u32,
        text: String,
        /// The provider's proof of the reasoning, or a piece of it: to be appended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    ToolInputStreamed {
        index: u64,
        block: u32,
        /// A fragment of the input's JSON text.
        text: String,
        /// Which call this is; with the first delta of its block, and only with that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<StreamedCall>,
    },
    /// Whatever has no common meaning, kept as received. Where it belongs to a content block that has to be sent back,
    /// `block` says which.
    OpaqueReceived {
        index: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u32>,
        /// The wire protocol, for example `anthropic-messages`.
        dialect: String,
        /// Exact JSON text.
        data: String,
    },
    /// Cumulative: a later report supersedes an earlier one.
    UsageReported {
        usage: Usage,
    },
    /// The terminal of the protocol was received.
    Finished {
        stop_reason: StopReason,
        /// SHA-256 of the raw response's blob, where it was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_sha256: Option<String>,
    },
    Failed {
        failure: Failure,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_sha256: Option<String>,
    },
    /// We closed the connection, because a person interrupted or the control plane shuts down.
    Interrupted,
}

/// A tool call as it begins in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamedCall {
    pub provider_id: String,
    pub name: String,
}

impl cqrs_es::DomainEvent for ModelCallEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
