//! Events outside the database: in sealed segments, and in backups.
//!
//! [`Log::seal`](crate::Log::seal) moves the events of finished model calls into segments; `sealed` reads them as if they were rows.

mod column;
mod decode;
mod encode;
mod entry;
mod error;
mod header;
mod seal;
mod sealed;
mod shape;
mod store;
#[cfg(test)]
mod tests;
mod verify;

pub use entry::Segment;
pub use error::{SealError, SegmentError, StoreError};
pub use seal::{SealLimits, SealReport};
pub use store::FileStore;
pub use verify::VerifyReport;

pub(crate) use decode::decode;
pub(crate) use encode::encode;
pub(crate) use seal::Sealing;
pub(crate) use sealed::Sealed;
