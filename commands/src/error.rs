//! Why a command was not carried out.

use docket_domain::{
    aggregate::{Refusal, RefusalKind},
    chat::ChatRefusal,
    model_call::ModelCallRefusal,
    policy::PolicyRefusal,
    template::TemplateRefusal,
    user::UserRefusal,
    workspace::WorkspaceRefusal,
};
use docket_eventlog::{AppendError, ExecuteError, ReadError};

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A mistake of the caller's.
    #[error("{message}")]
    Refused { code: &'static str, kind: RefusalKind, message: String },
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl CommandError {
    pub(crate) fn refused(refusal: &(impl Refusal + std::error::Error)) -> Self {
        Self::Refused { code: refusal.code(), kind: refusal.kind(), message: refusal.to_string() }
    }

    /// The code of the refusal, where it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Append(_) | Self::Read(_) => None,
        }
    }
}

macro_rules! from_refusals {
    ($($refusal:ty),+ $(,)?) => {$(
        impl From<ExecuteError<$refusal>> for CommandError {
            fn from(error: ExecuteError<$refusal>) -> Self {
                match error {
                    ExecuteError::Refused(refusal) => Self::refused(&refusal),
                    ExecuteError::Append(error) => Self::Append(error),
                    ExecuteError::Read(error) => Self::Read(error),
                    ExecuteError::Encode(reason) => Self::Append(AppendError::Invalid { reason }),
                }
            }
        }
    )+};
}

from_refusals!(ChatRefusal, ModelCallRefusal, PolicyRefusal, TemplateRefusal, UserRefusal, WorkspaceRefusal);
