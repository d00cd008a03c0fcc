//! The views against real logs: what they show, and that they can be rebuilt.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod backend;
mod crashes;
mod generations;
mod histories;
mod history;
mod lists;
mod poison;
mod rebuilt;
mod replicas;
mod snapshots;
mod traffic;
mod trial;
