//! Nothing acknowledged is lost, nothing shown is lost, nothing is repeated or reordered, whatever breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod child;
mod linear;
mod load;
mod postgres;
mod tally;
