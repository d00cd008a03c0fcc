//! `docket bench`: what the product's own path costs, each figure beside its ceiling or a peer measured in the same run.
//!
//! Machines differ and are rarely idle, so a figure alone says little; the ratio to what the same disk, database and processor
//! did a minute before says much. [`Bench`] runs the parts one after the other; each is a file here.
//!
//! *Invariant:* nothing outside is touched. Files lie in a temporary folder, and on Postgres every measurement has a database
//! of its own; all of it is gone at the end, also when a part fails or is interrupted.

mod append;
mod bulk;
mod cpu;
mod disk;
mod fan_out;
mod history;
mod latency;
mod load;
mod measured;
mod part;
mod plain_cqrs;
mod processes;
mod projection;
mod provider;
mod read;
mod rebuild;
mod report;
mod run;
mod samples;
mod scratch;
mod space;
mod stream_size;
mod turns;
mod watcher;

pub use part::Part;
pub use processes::{URL as WRITER_URL, write};
pub use report::{Beside, Figure, PartReport, Report};
pub use run::{Bench, Options};
