//! A template: what workspaces are made from.

pub mod command;
pub mod decide;
pub mod event;
pub mod state;
#[cfg(test)]
mod tests;

pub use command::TemplateCommand;
pub use decide::TemplateRefusal;
pub use event::{Provisioner, TemplateEvent};
pub use state::Template;

crate::aggregate::cqrs_aggregate!(Template);
