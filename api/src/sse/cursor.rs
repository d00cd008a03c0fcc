//! Where a reader goes on: `Last-Event-ID`, else `?after=`.

use crate::{problem::Problem, state::AppState};
use axum::http::{HeaderMap, StatusCode};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Option<u64>);

impl Cursor {
    /// # Errors
    /// 400 for what is no position, 409 for one that the log has not reached (the cursor of another log).
    pub async fn of(headers: &HeaderMap, after: Option<u64>, state: &AppState) -> Result<Self, Problem> {
        let header = headers.get("last-event-id").map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        let cursor = match header {
            Some(None) => {
                let detail = "Last-Event-ID: it has to be a position, a whole number";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail));
            }
            Some(position) => position,
            None => after,
        };
        let head = state.control.log.head().await?;
        if let Some(position) = cursor.filter(|position| *position > head) {
            let detail = format!("position {position} is ahead of the log, which is at {head}: it belongs to another log");
            return Err(Problem::new(StatusCode::CONFLICT, "cursor_ahead", detail));
        }
        Ok(Self(cursor))
    }
}
