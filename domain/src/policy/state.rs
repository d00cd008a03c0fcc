//! The policy as it is now.

use super::event::{PolicyEvent, Subject};
use crate::model_name::ModelName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Model calls in one turn, where the policy names no other limit.
pub const DEFAULT_STEP_LIMIT: u32 = 1200;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What stands before every conversation; none means the built-in text.
    pub system_prompt: Option<String>,
    pub default_model: Option<ModelName>,
    pub step_limit: u32,
    pub withdrawn: BTreeSet<(Subject, String)>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { system_prompt: None, default_model: None, step_limit: DEFAULT_STEP_LIMIT, withdrawn: BTreeSet::new() }
    }
}

impl Policy {
    #[must_use]
    pub fn allows(&self, subject: Subject, name: &str) -> bool {
        !self.withdrawn.contains(&(subject, name.to_owned()))
    }

    #[must_use]
    pub fn allows_model(&self, model: &ModelName) -> bool {
        self.allows(Subject::Provider, model.provider()) && self.allows(Subject::Model, &model.to_string())
    }

    pub(crate) fn fold(&mut self, event: &PolicyEvent) {
        match event {
            PolicyEvent::SystemPromptSet { text } => self.system_prompt = Some(text.clone()),
            PolicyEvent::DefaultModelSet { model } => self.default_model.clone_from(model),
            PolicyEvent::StepLimitSet { steps } => self.step_limit = *steps,
            PolicyEvent::Withdrawn { subject, name } => drop(self.withdrawn.insert((*subject, name.clone()))),
            PolicyEvent::Restored { subject, name } => drop(self.withdrawn.remove(&(*subject, name.clone()))),
        }
    }
}
