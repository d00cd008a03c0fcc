//! Why a request to a daemon has no answer of the kind that was asked for.

use docket_wire::problem::{OUTCOME_UNKNOWN, Problem};
use std::time::Duration;

/// Of a request to a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The daemon's own clear error: what is wrong with the request, and what would be right.
    #[error("{message}")]
    Refused {
        /// Stable.
        code: String,
        /// For whoever made the request.
        message: String,
    },
    /// The connection was lost, or the daemon could not serve now. Ask again under the same key: there is one effect.
    #[error("the connection to the workspace was lost: {reason}")]
    Disconnected {
        /// For a log.
        reason: String,
    },
    /// The daemon was interrupted in the middle. Whether there was an effect cannot be known; there will be no second.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
}

impl CallError {
    pub(crate) fn disconnected(reason: impl ToString) -> Self {
        Self::Disconnected { reason: reason.to_string() }
    }

    pub(crate) fn answered(problem: Problem) -> Self {
        if problem.code == OUTCOME_UNKNOWN {
            return Self::OutcomeUnknown;
        }
        Self::Refused { code: problem.code, message: problem.message }
    }
}

/// Of an attempt to reach a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// None was connected for as long as was waited.
    #[error("the workspace's daemon did not connect within {0:?}")]
    NotConnected(Duration),
    /// The control plane is shutting down.
    #[error("the control plane is shutting down")]
    Closed,
}
