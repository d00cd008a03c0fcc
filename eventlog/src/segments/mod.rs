//! Events outside the database: in sealed segments, and in backups.

mod column;
mod decode;
mod encode;
mod error;
mod header;
mod shape;
#[cfg(test)]
mod tests;

pub use error::SegmentError;
