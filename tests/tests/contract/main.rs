//! What every log keeps to, on every database: one suite. On KurrentDB it runs against a double of the server, which proves our use
//! of the protocol and nothing about the server; and against a real one where `KURRENTDB_URL` names it.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod append;
mod blobs;
mod commands;
#[cfg(feature = "kurrentdb")]
mod connection;
#[cfg(feature = "kurrentdb")]
mod control_plane;
mod fixture;
mod processes;
mod read;
mod reopen;
mod snapshots;
mod subscribe;
