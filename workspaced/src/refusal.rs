//! A request that is answered with a clear error.

use axum::response::{IntoResponse, Response};
use docket_wire::problem::Problem;
use http::{StatusCode, header::CONTENT_TYPE};
use std::io;

/// What was wrong, for whoever made the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable; for programs.
    pub code: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Refusal {
    /// A refusal of a request that can be corrected.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// A refusal with a status of its own.
    pub fn with(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The system's error for a path, in words that help.
    pub fn io(path: &str, error: &io::Error) -> Self {
        use io::ErrorKind as K;
        let (status, code, text) = match error.kind() {
            K::NotFound => (404, "not_found", format!("no such file or directory: {path}")),
            K::PermissionDenied => (403, "permission_denied", format!("permission denied: {path}")),
            K::NotADirectory => (400, "not_a_directory", format!("a part of the path is not a directory: {path}")),
            K::IsADirectory => (400, "is_a_directory", format!("this is a directory, not a file: {path}")),
            K::StorageFull | K::QuotaExceeded => (507, "storage_full", format!("no space left for {path}")),
            K::ReadOnlyFilesystem => (403, "read_only", format!("the file system is read-only: {path}")),
            K::InvalidFilename => (400, "invalid_path", format!("a part of the path is too long: {path}")),
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                (409, "path_changed", format!("the path changed while it was used: {path}"))
            }
            _ => (500, "io", format!("{path}: {error}")),
        };
        Self { status, code, message: text }
    }

    /// An error of the daemon's own records.
    pub fn internal(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self { status: 500, code: "internal", message: format!("{what}: {error}") }
    }

    /// The JSON body.
    pub fn problem(&self) -> Problem {
        Problem { code: self.code.to_owned(), message: self.message.clone() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem()).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}
