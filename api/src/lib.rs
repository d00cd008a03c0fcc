//! The edge of Docket: HTTP routes, server-sent events, authentication, configuration and the command line.
//!
//! *Invariant:* authorisation is decided in one function ([`authorization::allowed`]), by default denied.
//! *Invariant:* every body and query is bounded and validated, and an error names the field.
//! *Invariant:* a stream sends only what is durable, and its reader pulls.
//!
//! Start reading at [`server::Server`], then [`routes`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod authentication;
pub mod authorization;
pub mod bench;
pub mod cli;
pub mod config;
mod descriptors;
pub mod extract;
pub mod idempotency;
pub mod owner_token;
pub mod problem;
pub mod routes;
mod sealing;
pub mod server;
pub mod sse;
pub mod state;
