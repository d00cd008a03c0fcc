//! Errors as clients see them: RFC 9457 problem details with a stable `code`. This is the one place that maps errors to statuses.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use docket_commands::CommandError;
use docket_domain::aggregate::RefusalKind;
use docket_eventlog::{AppendError, ReadError};
use docket_projections::ProjectionError;
use docket_workspaces::BootstrapError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// RFC 9457 problem details.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// Stable, for programs.
    pub code: String,
    /// For people: what is wrong, naming the field where one is at fault.
    pub detail: String,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { status: status.as_u16(), title, code: code.to_owned(), detail: detail.into() }
    }

    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail)
    }

    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body was not read, so the connection cannot go on.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn fault(code: &str, error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, code, "a request could not be answered");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, format!("{error}; try again"))
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused { code, kind, message } => {
                let status = match kind {
                    RefusalKind::NotFound => StatusCode::NOT_FOUND,
                    RefusalKind::Conflict => StatusCode::CONFLICT,
                    RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
                    RefusalKind::Forbidden => StatusCode::FORBIDDEN,
                };
                Self::new(status, code, message)
            }
            CommandError::Append(error) => error.into(),
            CommandError::Read(error) => error.into(),
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => {
                Self::new(StatusCode::CONFLICT, error.code(), "something else changed it at the same time; try again")
            }
            AppendError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.code(), error.to_string()),
            AppendError::Invalid { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string()),
            AppendError::Closed | AppendError::Storage { .. } | AppendError::Uncertain { .. } => fault(error.code(), &error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        fault(error.code(), &error)
    }
}

impl From<ProjectionError> for Problem {
    fn from(error: ProjectionError) -> Self {
        match error {
            ProjectionError::Building { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), format!("{error} for the first time; try again later"))
            }
            ProjectionError::Unknown(_) => Self::not_found("projection"),
            ProjectionError::NothingToRetry { .. } => Self::new(StatusCode::CONFLICT, error.code(), error.to_string()),
            ProjectionError::Cursor => Self::invalid("cursor: it is not one that this list gave out"),
            error => fault(error.code(), &error),
        }
    }
}

impl From<BootstrapError> for Problem {
    fn from(error: BootstrapError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self::new(status, error.code(), error.to_string())
    }
}
