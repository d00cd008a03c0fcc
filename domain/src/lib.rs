//! The pure heart of Docket: aggregates, their commands, events, decisions and folds, and the words they share.
//!
//! Each aggregate has a folder with the same files: `command.rs`, `event.rs`, `decide.rs`, `state.rs` (the fold), and tests.
//! A decision is a total function of a state, a command and a [`Context`]; a fold cannot fail.
//!
//! *Invariant:* nothing here performs I/O, reads a clock or draws randomness. Time and fresh ids come in with the [`Context`].
//!
//! Start reading at [`chat`], which holds the agent loop's state machine.

pub mod actor;
pub mod aggregate;
pub mod chat;
pub mod conversation;
pub mod failure;
pub mod ids;
pub mod metadata;
pub mod model_call;
pub mod model_name;
pub mod policy;
pub mod template;
pub mod time;
pub mod usage;
pub mod user;
pub mod workspace;

pub use aggregate::{Context, Decide};
pub use metadata::Metadata;
/// The names of an event enum's variants, as stored.
pub use strum::VariantNames;
pub use time::Timestamp;
