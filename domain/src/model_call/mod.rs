//! One request to a model provider and its streamed answer; a stream of its own, so that chat streams stay short.
//!
//! *Invariant:* one event per delta, and nothing after the terminal.

pub mod assembly;
pub mod command;
pub mod decide;
pub mod event;
pub mod state;
#[cfg(test)]
mod tests;

pub use assembly::Assembly;
pub use command::ModelCallCommand;
pub use decide::ModelCallRefusal;
pub use event::{ModelCallEvent, StreamedCall};
pub use state::ModelCall;

crate::aggregate::cqrs_aggregate!(ModelCall);
