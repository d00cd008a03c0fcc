//! What was used: model calls and tokens per chat, person, model and day.

mod day;
mod projection;
mod read;

pub use projection::Usage;
pub use read::{MAX_USAGE_ROWS, UsageCounts, UsagePage, UsageQuery, UsageReads, UsageRow};
