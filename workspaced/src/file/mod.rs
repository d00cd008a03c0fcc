//! Files of the workspace.

pub mod diff;
pub mod open;
pub mod read;
pub mod transaction;
pub mod write;
