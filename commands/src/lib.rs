//! What changes Docket: the command handlers, and the process managers that wake on events, perform I/O and record the outcome
//! with another command. The agent loop is the largest of them ([`turn`]); workspaces' builds are another ([`builds`]).
//!
//! *Invariant:* nothing reaches a model or a workspace before the event that says so is durable.
//! *Invariant:* a process manager may die at any line and be run again; what it was doing follows from the log.
//! *Invariant:* the policy is read at every step.
//!
//! Start reading at [`turn::Worker`], then [`turn::drive`].

pub mod accounts;
pub mod builds;
pub mod clock;
pub mod control;
pub mod directory;
pub mod enrolment;
pub mod error;
pub mod settings;
pub mod tools;
pub mod turn;

pub use clock::Clock;
pub use control::Control;
pub use error::CommandError;
