//! An answer that is not the one asked for.

use serde::{Deserialize, Serialize};

/// The JSON body of every answer with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable; for programs.
    pub code: String,
    /// For whoever made the request: what is wrong, and what would be right.
    pub message: String,
}

/// The header that names a mutating request's idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The request began, the daemon was killed, and whether it had its effect cannot be known. It was not run again.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";
/// The key was used for another request.
pub const KEY_REUSED: &str = "key_reused";
/// A mutating request without a valid idempotency key.
pub const KEY_REQUIRED: &str = "key_required";
