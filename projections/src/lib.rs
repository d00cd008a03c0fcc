//! Views: what the log says, as rows that can be asked. Each folder is one view; [`Projections`] runs them all.
//!
//! A [`Projection`] turns events into rows of its own tables. The runner owns the rest: the transaction, the checkpoint in it,
//! batches, the failure policy, and who of several processes runs it.
//!
//! *Invariant:* state is disposable. A view rebuilt from position 0 equals the live one, byte for byte, whatever the batches,
//! restarts and failures in between; [`rebuild_into`] and [`diff`] show it.
//! *Invariant:* an event takes effect once. Its rows and the checkpoint are one transaction, which only succeeds where the
//! checkpoint still is where it was read.
//! *Invariant:* what is read never steps back. A projection that is built anew, because it was changed or somebody asked, is built
//! beside what is read and takes its place in one transaction (`generation`).
//! *Invariant:* only what cannot be decoded or does not fit is ever set aside, and then it is seen; a fault of the database
//! is tried again until it passes.
//!
//! Start reading at [`chat`], whose fold is the heart of the product's view.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod audit_log;
mod build;
pub mod chat;
mod cursor;
pub mod database;
mod diff;
mod error;
mod failure;
mod generation;
mod progress;
mod projection;
mod projections;
mod runner;
mod set;
mod status;
mod stream_uuid;
pub mod templates;
pub mod usage;
pub mod users;
mod view;
pub mod workspaces;

pub use build::{BuildError, Built, rebuild_into};
pub use database::Database;
pub use diff::{Comparison, Difference, DifferenceKind, diff};
pub use error::{ApplyError, Behind, ProjectionError};
pub use failure::Failure;
pub use projection::{Projection, Table};
pub use projections::Projections;
pub use set::Set;
pub use status::{State, Status, Tables};
