//! The audit log: one row for every act, with who did it and on whose behalf. It holds nobody's words, only their size.

mod act;
mod projection;
mod read;

pub use projection::AuditLog;
pub(crate) use projection::model_calls;
pub use read::{AuditEntry, AuditPage, AuditQuery, AuditReads, MAX_ENTRIES};
