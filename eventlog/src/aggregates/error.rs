//! Why a command was not executed.

use crate::error::{AppendError, ReadError};
use docket_domain::aggregate::Refusal;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The aggregate does not allow it.
    #[error("{0}")]
    Refused(R),
    /// The log did not take the events; a conflict, when others were faster every time.
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("an event cannot be encoded: {0}")]
    Encode(String),
}

impl<R: Refusal> ExecuteError<R> {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Append(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Encode(_) => "log_unencodable",
        }
    }
}
