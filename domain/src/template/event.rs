//! What happened to a template.

use serde::{Deserialize, Serialize};

/// What carries out the builds of a template's workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Provisioner {
    /// A confined process in a directory of its own, on the control plane's machine.
    Process,
}

/// Events of the stream `template-{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", prefix = "template.")]
pub enum TemplateEvent {
    Created {
        name: String,
        description: String,
        provisioner: Provisioner,
    },
    Described {
        description: String,
    },
    /// No new workspace is made from it; those that exist go on.
    Archived,
    Unarchived,
}

impl cqrs_es::DomainEvent for TemplateEvent {
    fn event_type(&self) -> String {
        <&'static str>::from(self).to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
