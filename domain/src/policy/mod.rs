//! The central policy: one for the whole control plane, read anew at every step of every chat.
//!
//! *Invariant:* what is withdrawn is gone for every running chat at its next step.

pub mod command;
pub mod decide;
pub mod event;
pub mod state;
#[cfg(test)]
mod tests;

pub use command::PolicyCommand;
pub use decide::PolicyRefusal;
pub use event::{PolicyEvent, Subject};
pub use state::Policy;

/// The id of the one policy's stream.
pub const POLICY_ID: uuid::Uuid = uuid::Uuid::nil();

crate::aggregate::cqrs_aggregate!(Policy);
