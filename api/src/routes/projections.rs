//! Projections: how the views are, and building them anew.

use crate::{
    authentication::Authenticated,
    authorization::Action,
    extract::{Path, Query},
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_projections::{Failure, Status};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Failures that are listed at most.
const MAX_FAILURES: u64 = 200;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProjectionList {
    items: Vec<Status>,
    /// Events that could not be applied and are missing in what is read, the oldest first; at most 200.
    failures: Vec<Failure>,
}

/// How each projection is: what is read and how far behind it is, what is being built, what was set aside.
#[utoipa::path(get, path = "/projections",
    responses((status = 200, body = ProjectionList), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 503, body = Problem)))]
pub(super) async fn list(State(state): State<AppState>, caller: Authenticated) -> Result<Json<ProjectionList>, Problem> {
    caller.require(Action::Audit)?;
    let items = state.projections.status().await?;
    let failures = state.projections.failures(None, MAX_FAILURES).await?;
    Ok(Json(ProjectionList { items, failures }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BuildBegun {
    name: String,
    /// When this one is live, it is done.
    generation: u64,
}

/// Builds a projection anew from the first event, beside what is read, and then has that read. While it is being built, the same
/// request means the same build.
#[utoipa::path(post, path = "/projections/{name}/rebuild", params(("name" = String, Path)),
    responses((status = 202, body = BuildBegun), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rebuild(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<BuildBegun>), Problem> {
    caller.require(Action::Administer)?;
    let generation = state.projections.rebuild(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(BuildBegun { name, generation })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    /// Of the event that was set aside; any by default.
    position: Option<u64>,
}

/// Tries again what was set aside. Later events may have changed the same rows, so the whole projection is built anew.
#[utoipa::path(post, path = "/projections/{name}/retry", params(("name" = String, Path), RetryQuery),
    responses((status = 202, body = BuildBegun), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn retry(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(name): Path<String>,
    Query(query): Query<RetryQuery>,
) -> Result<(StatusCode, Json<BuildBegun>), Problem> {
    caller.require(Action::Administer)?;
    let generation = state.projections.retry(&name, query.position).await?;
    Ok((StatusCode::ACCEPTED, Json(BuildBegun { name, generation })))
}
