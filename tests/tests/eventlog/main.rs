//! The log's contract, run on every database, and what is particular to one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

mod aggregates;
mod append;
mod backup;
mod calls;
mod chats;
mod commands;
mod counter;
mod faults;
mod frozen;
mod histories;
mod interest;
mod killed;
mod leaves;
mod ledger;
mod model;
mod read;
mod reference;
mod replicas;
mod restart;
mod sealed;
mod sealed_killed;
mod sealed_model;
mod snapshots;
mod snapshots_blocked;
mod stock;
mod subscribe;

use docket_tests::fixture;
