//! Where a workspace's daemon introduces itself: with a one-time token or an enrolled key, not as a user.

use crate::{extract::Body, problem::Problem, state::AppState};
use axum::{Json, extract::State};
use docket_wire::bootstrap::{BootstrapAnswer, BootstrapRequest};

/// Tells a daemon how to dial the tunnel.
#[utoipa::path(post, path = "/workspaces/bootstrap", security(()), request_body = serde_json::Value,
    responses((status = 200, body = serde_json::Value), (status = 401, body = Problem), (status = 409, body = Problem),
              (status = 410, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn bootstrap(
    State(state): State<AppState>,
    Body(request): Body<BootstrapRequest>,
) -> Result<Json<BootstrapAnswer>, Problem> {
    state.control.hub.bootstrap(request).await.map(Json).map_err(Problem::from)
}
