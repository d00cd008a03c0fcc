//! What tests need: a real Postgres, the real programs, and a model provider that says what a test wants.

pub mod client;
pub mod fixture;
#[cfg(feature = "kurrentdb")]
pub mod kurrentdb;
pub mod ledger;
pub mod model_server;
pub mod own_postgres;
pub mod postgres;
pub mod processes;
pub mod programs;
pub mod proxy;
pub mod server;
pub mod sse;
