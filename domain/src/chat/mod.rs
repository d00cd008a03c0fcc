//! A chat: its prompts, its queue, its turns, and the state machine of the agent loop.
//!
//! *Invariant:* at most one turn is open, and at most one model call of it.
//! *Invariant:* every tool call is requested once and ended once; before a user's message is added, none is open, so that the
//! history is valid for every provider at any time.
//! *Invariant:* only the worker that claimed the turn can add to it; one that lost its claim is refused.

pub mod action;
pub mod command;
pub mod decide;
pub mod event;
pub mod limits;
pub mod refusal;
pub mod retry;
pub mod state;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use command::ChatCommand;
pub use event::{ChatEvent, Delivery};
pub use refusal::ChatRefusal;
pub use state::{Chat, Status};

crate::aggregate::cqrs_aggregate!(Chat);
