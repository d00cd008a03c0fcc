//! What the control plane and the daemon in a workspace say to each other: the streams of the tunnel, the
//! daemon's HTTP interface, the limits of both, and the settings of the endpoints at either end.
//!
//! Nothing here knows what the files and processes are for.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bootstrap;
pub mod endpoint;
pub mod file;
pub mod hello;
pub mod limits;
pub mod metadata;
pub mod preface;
pub mod problem;
pub mod process;
