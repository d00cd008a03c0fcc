//! The decisions of the policy.

use super::{
    command::PolicyCommand,
    event::{PolicyEvent, Subject},
    state::Policy,
};
use crate::{
    aggregate::{Context, Decide, Refusal, RefusalKind},
    model_name::ModelName,
};

/// The longest system prompt, in bytes.
pub const MAX_SYSTEM_PROMPT: usize = 131_072;
/// The highest limit on the steps of a turn.
pub const MAX_STEP_LIMIT: u32 = 10_000;
const MAX_NAME: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PolicyRefusal {
    #[error("system_prompt: at most {MAX_SYSTEM_PROMPT} bytes")]
    SystemPromptTooLarge,
    #[error("step_limit: 1 to {MAX_STEP_LIMIT}")]
    StepLimitInvalid,
    #[error("name: {0}")]
    NameInvalid(String),
}

impl Refusal for PolicyRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }
}

impl Decide for Policy {
    const KIND: &'static str = "policy";
    const STATE_VERSION: u32 = 1;
    type Command = PolicyCommand;
    type Event = PolicyEvent;
    type Refusal = PolicyRefusal;

    fn decide(&self, command: PolicyCommand, _: &Context) -> Result<Vec<PolicyEvent>, PolicyRefusal> {
        let (changes, event) = match command {
            PolicyCommand::SetSystemPrompt { text } => {
                if text.len() > MAX_SYSTEM_PROMPT {
                    return Err(PolicyRefusal::SystemPromptTooLarge);
                }
                (self.system_prompt.as_ref() != Some(&text), PolicyEvent::SystemPromptSet { text })
            }
            PolicyCommand::SetDefaultModel { model } => (self.default_model != model, PolicyEvent::DefaultModelSet { model }),
            PolicyCommand::SetStepLimit { steps } => {
                if !(1..=MAX_STEP_LIMIT).contains(&steps) {
                    return Err(PolicyRefusal::StepLimitInvalid);
                }
                (self.step_limit != steps, PolicyEvent::StepLimitSet { steps })
            }
            PolicyCommand::Withdraw { subject, name } => {
                check_name(subject, &name)?;
                (self.allows(subject, &name), PolicyEvent::Withdrawn { subject, name })
            }
            PolicyCommand::Restore { subject, name } => {
                check_name(subject, &name)?;
                (!self.allows(subject, &name), PolicyEvent::Restored { subject, name })
            }
        };
        Ok(if changes { vec![event] } else { vec![] })
    }

    fn apply_event(&mut self, event: &PolicyEvent) {
        self.fold(event);
    }
}

fn check_name(subject: Subject, name: &str) -> Result<(), PolicyRefusal> {
    if subject == Subject::Model {
        return name.parse::<ModelName>().map(drop).map_err(|error| PolicyRefusal::NameInvalid(error.to_string()));
    }
    if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
        return Err(PolicyRefusal::NameInvalid(format!("1 to {MAX_NAME} bytes without control characters")));
    }
    Ok(())
}
