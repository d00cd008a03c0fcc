//! The log's contract, run on every database, and what is particular to one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod aggregates;
mod backup;
mod calls;
mod chats;
mod counter;
mod faults;
mod frozen;
mod histories;
mod interest;
mod killed;
mod leaves;
mod model;
mod reference;
mod replicas;
mod restart;
mod sealed;
mod sealed_killed;
mod sealed_model;
mod snapshots;
mod snapshots_blocked;
mod stock;

use docket_tests::{fixture, ledger};
