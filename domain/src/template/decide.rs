//! The decisions of a template.

use super::{command::TemplateCommand, event::TemplateEvent, state::Template};
use crate::aggregate::{Context, Decide, Refusal, RefusalKind};

/// The longest name of a template, in characters.
pub const MAX_NAME: usize = 64;
/// The longest description of a template, in characters.
pub const MAX_DESCRIPTION: usize = 8_000;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum TemplateRefusal {
    #[error("there is no such template")]
    TemplateNotFound,
    #[error("a template with this id exists already")]
    TemplateExists,
    #[error("name: 1 to {MAX_NAME} lower-case letters, digits and hyphens, beginning with a letter")]
    NameInvalid,
    #[error("description: at most {MAX_DESCRIPTION} characters")]
    DescriptionInvalid,
}

impl Refusal for TemplateRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::TemplateNotFound => RefusalKind::NotFound,
            Self::TemplateExists => RefusalKind::Conflict,
            Self::NameInvalid | Self::DescriptionInvalid => RefusalKind::Invalid,
        }
    }
}

impl Decide for Template {
    const KIND: &'static str = "template";
    const STATE_VERSION: u32 = 1;
    type Command = TemplateCommand;
    type Event = TemplateEvent;
    type Refusal = TemplateRefusal;

    fn decide(&self, command: TemplateCommand, _: &Context) -> Result<Vec<TemplateEvent>, TemplateRefusal> {
        let exists = self.provisioner.is_some();
        match command {
            TemplateCommand::Create { .. } if exists => Err(TemplateRefusal::TemplateExists),
            TemplateCommand::Create { name, description, provisioner } => {
                check_name(&name)?;
                check_description(&description)?;
                Ok(vec![TemplateEvent::Created { name, description, provisioner }])
            }
            _ if !exists => Err(TemplateRefusal::TemplateNotFound),
            TemplateCommand::Describe { description } if description == self.description => Ok(vec![]),
            TemplateCommand::Describe { description } => {
                check_description(&description)?;
                Ok(vec![TemplateEvent::Described { description }])
            }
            TemplateCommand::SetArchived { archived } => Ok(match (self.archived, archived) {
                (false, true) => vec![TemplateEvent::Archived],
                (true, false) => vec![TemplateEvent::Unarchived],
                _ => vec![],
            }),
        }
    }

    fn apply_event(&mut self, event: &TemplateEvent) {
        self.fold(event);
    }
}

fn check_name(name: &str) -> Result<(), TemplateRefusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    if first && name.len() <= MAX_NAME && name.chars().all(fits) { Ok(()) } else { Err(TemplateRefusal::NameInvalid) }
}

fn check_description(description: &str) -> Result<(), TemplateRefusal> {
    if description.chars().count() > MAX_DESCRIPTION { Err(TemplateRefusal::DescriptionInvalid) } else { Ok(()) }
}
