//! What happened to the policy.

use crate::model_name::ModelName;
use serde::{Deserialize, Serialize};

/// What an administrator may withdraw.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Subject {
    /// `provider/model`
    Model,
    Provider,
    Tool,
    /// By name.
    Template,
}

/// Events of the stream `policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "policy.")]
pub enum PolicyEvent {
    SystemPromptSet { text: String },
    DefaultModelSet { model: Option<ModelName> },
    StepLimitSet { steps: u32 },
    Withdrawn { subject: Subject, name: String },
    Restored { subject: Subject, name: String },
}

impl cqrs_es::DomainEvent for PolicyEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
