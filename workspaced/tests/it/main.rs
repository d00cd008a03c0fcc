//! The daemon and the hub together: in one process over memory where that shows everything, and as real processes over the
//! real tunnel where it does not.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod confinement;
mod connections;
mod edits;
mod enrolment;
mod files;
mod idempotency;
mod kills;
mod neutral;
mod processes;
mod restart;
mod support;
