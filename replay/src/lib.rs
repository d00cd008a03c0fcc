//! Reading the past: what a model saw, rebuilt from the log.
//!
//! *Invariant:* nothing here can change what it reads.

pub mod context;
