//! The daemon that runs in a workspace. It dials out to the control plane and, inside that tunnel, offers files and
//! processes over HTTP. It listens on nothing and knows nothing of what it is used for.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod app;
pub mod calls;
pub mod confine;
pub mod durable;
pub mod edit;
pub mod enrol;
pub mod file;
pub mod identity;
pub mod keep;
pub mod link;
pub mod metadata;
pub mod process;
pub mod refusal;
pub mod root;
pub mod run;
pub mod settings;
pub mod stream;
