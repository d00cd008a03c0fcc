//! Processes: each runs under a small supervisor of its own, which outlives the daemon and alone knows how it ends.

pub mod capture;
pub mod environment;
pub mod launch;
pub mod output;
pub mod record;
pub mod supervise;
pub mod table;
