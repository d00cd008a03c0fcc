//! A person who uses Docket: the name, the role, the API tokens.

pub mod command;
pub mod decide;
pub mod event;
pub mod state;
#[cfg(test)]
mod tests;

pub use command::UserCommand;
pub use decide::UserRefusal;
pub use event::{Role, UserEvent};
pub use state::User;

crate::aggregate::cqrs_aggregate!(User);
