//! What an administrator may ask of the policy.

use super::event::Subject;
use crate::model_name::ModelName;

#[derive(Clone, Debug)]
pub enum PolicyCommand {
    SetSystemPrompt { text: String },
    SetDefaultModel { model: Option<ModelName> },
    SetStepLimit { steps: u32 },
    Withdraw { subject: Subject, name: String },
    Restore { subject: Subject, name: String },
}
