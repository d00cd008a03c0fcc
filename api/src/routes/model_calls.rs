//! What a model saw: the exact bytes of a request.

use super::chats::{authorized, see};
use crate::{authentication::Authenticated, extract::Path, problem::Problem, state::AppState};
use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
};
use docket_domain::ids::ModelCallId;
use docket_replay::context::{ContextError, rebuild};
use uuid::Uuid;

/// SHA-256 of the body, the one recorded when it was sent, lower-case hex.
const BODY_SHA256: HeaderName = HeaderName::from_static("docket-body-sha256");

impl From<ContextError> for Problem {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::NotFound => Self::not_found("model call"),
            ContextError::Read(error) => error.into(),
            error => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string()),
        }
    }
}

/// The exact request body of a model call, rebuilt from the log. Its SHA-256 equals the one recorded when it was sent.
#[utoipa::path(get, path = "/chats/{id}/model-calls/{call}/request", params(("id" = Uuid, Path), ("call" = Uuid, Path)),
    responses((status = 200, content_type = "application/json", body = serde_json::Value), (status = 401, body = Problem),
              (status = 404, body = Problem)))]
pub(super) async fn request(
    State(state): State<AppState>,
    caller: Authenticated,
    Path((id, call)): Path<(Uuid, Uuid)>,
) -> Result<impl IntoResponse, Problem> {
    authorized(&state, &caller, id, see).await?;
    let context = rebuild(&state.control.log, ModelCallId(call)).await?;
    if context.chat_id.0 != id {
        return Err(Problem::not_found("model call"));
    }
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (BODY_SHA256, context.sha256)], context.body))
}
