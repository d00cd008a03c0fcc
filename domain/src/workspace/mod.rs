//! A workspace: a plain machine that a daemon connects to the control plane. Its life, its builds, its connection.

pub mod command;
pub mod decide;
pub mod event;
pub mod state;
#[cfg(test)]
mod tests;

pub use command::WorkspaceCommand;
pub use decide::WorkspaceRefusal;
pub use event::{Transition, WorkspaceEvent};
pub use state::{Workspace, WorkspaceStatus};

crate::aggregate::cqrs_aggregate!(Workspace);
