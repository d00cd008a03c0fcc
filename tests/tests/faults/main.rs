//! Nothing acknowledged is lost, nothing shown is lost, nothing is repeated or reordered, whatever breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod child;
mod clock;
mod end_to_end;
mod fill;
mod linear;
mod load;
mod plane;
mod postgres;
mod power_cut;
mod preload;
mod tally;
