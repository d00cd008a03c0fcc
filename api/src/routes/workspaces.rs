//! Workspaces: make, list, see, start, stop, delete.

use super::chats::{limit, see, work};
use crate::{
    authentication::Authenticated,
    authorization::{Action, allowed},
    extract::{Body, Path, Query},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    aggregate::Refusal,
    ids::{TemplateId, UserId, WorkspaceId},
    policy::Subject,
    workspace::{Transition, WorkspaceCommand, WorkspaceRefusal},
};
use docket_projections::workspaces::{BuildLogLine, WorkspaceDocument, WorkspacePage, WorkspaceQuery};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

async fn authorized(
    state: &AppState,
    caller: &Authenticated,
    id: Uuid,
    action: impl FnOnce(UserId) -> Action,
) -> Result<(), Problem> {
    let owner = state.control.workspaces.read(id, |workspace, _| workspace.owner).await?;
    caller.require_of("workspace", action(owner.ok_or_else(|| Problem::not_found("workspace"))?))
}

async fn document(state: &AppState, id: Uuid) -> Result<WorkspaceDocument, Problem> {
    state.fresh().await?;
    state.projections.workspaces().get(WorkspaceId(id)).await?.ok_or_else(|| Problem::not_found("workspace"))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorkspace {
    template_id: Uuid,
    /// Lower-case letters, digits and hyphens, beginning with a letter. Chosen for you if left out.
    name: Option<String>,
}

/// Makes a workspace and begins to build it; the answer does not wait for the end.
#[utoipa::path(post, path = "/workspaces", request_body = NewWorkspace,
    responses((status = 201, body = WorkspaceDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authenticated,
    Command(command): Command,
    Body(body): Body<NewWorkspace>,
) -> Result<(StatusCode, Json<WorkspaceDocument>), Problem> {
    caller.require(Action::Create)?;
    let template_id = TemplateId(body.template_id);
    let template = state.control.templates.read(template_id.0, |template, _| template.clone()).await?;
    let policy = state.control.current_policy().await?;
    if template.provisioner.is_none() || template.archived || !policy.allows(Subject::Template, &template.name) {
        return Err(Problem::invalid("template_id: there is no such template"));
    }
    let id = WorkspaceId::derive(command.0, "workspace");
    let name = body.name.unwrap_or_else(|| format!("{}-{}", template.name, &id.0.simple().to_string()[..8]));
    let create =
        WorkspaceCommand::Create { name, owner: caller.0.user, template_id, chat_id: None, parameters: BTreeMap::new() };
    let metadata = caller.metadata().commanded(command);
    match state.control.workspace(id, metadata, create).await {
        Err(error) if error.refusal() == Some(WorkspaceRefusal::WorkspaceExists.code()) => {}
        made => drop(made?),
    }
    begin(&state, &caller, id.0, Transition::Start);
    Ok((StatusCode::CREATED, Json(document(&state, id.0).await?)))
}

/// Builds in the background: the workspace's status and its log tell how it goes.
fn begin(state: &AppState, caller: &Authenticated, id: Uuid, transition: Transition) {
    let (control, metadata) = (state.control.clone(), caller.metadata());
    tokio::spawn(async move {
        if let Err(error) = control.build(WorkspaceId(id), transition, metadata).await {
            tracing::warn!(%error, workspace = %id, "a build did not succeed");
        }
    });
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    limit: Option<usize>,
}

/// Lists workspaces.
#[utoipa::path(get, path = "/workspaces", params(ListQuery),
    responses((status = 200, body = WorkspacePage), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<ListQuery>,
) -> Result<Json<WorkspacePage>, Problem> {
    state.fresh().await?;
    let everybody = allowed(&caller.0, see(UserId::SYSTEM));
    let query = WorkspaceQuery {
        owner: (!everybody).then_some(caller.0.user),
        cursor: query.cursor,
        limit: limit(query.limit)?,
        ..WorkspaceQuery::default()
    };
    Ok(Json(state.projections.workspaces().list(&query).await?))
}

/// A workspace.
#[utoipa::path(get, path = "/workspaces/{id}", params(("id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceDocument), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<WorkspaceDocument>, Problem> {
    authorized(&state, &caller, id, see).await?;
    Ok(Json(document(&state, id).await?))
}

async fn build(
    state: &AppState,
    caller: &Authenticated,
    id: Uuid,
    transition: Transition,
) -> Result<Json<WorkspaceDocument>, Problem> {
    authorized(state, caller, id, work).await?;
    let built = state.control.build(WorkspaceId(id), transition, caller.metadata()).await;
    built.map_err(|error| Problem::new(StatusCode::CONFLICT, "build_failed", error.to_string()))?;
    Ok(Json(document(state, id).await?))
}

/// Starts a workspace and waits until it is ready.
#[utoipa::path(post, path = "/workspaces/{id}/start", params(("id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn start(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<WorkspaceDocument>, Problem> {
    build(&state, &caller, id, Transition::Start).await
}

/// Stops a workspace; its files are kept.
#[utoipa::path(post, path = "/workspaces/{id}/stop", params(("id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn stop(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<WorkspaceDocument>, Problem> {
    build(&state, &caller, id, Transition::Stop).await
}

/// Deletes a workspace and its files.
#[utoipa::path(delete, path = "/workspaces/{id}", params(("id" = Uuid, Path)),
    responses((status = 200, body = WorkspaceDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<WorkspaceDocument>, Problem> {
    build(&state, &caller, id, Transition::Delete).await
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BuildLog {
    items: Vec<BuildLogLine>,
}

/// The newest lines of a workspace's build log.
#[utoipa::path(get, path = "/workspaces/{id}/logs", params(("id" = Uuid, Path)),
    responses((status = 200, body = BuildLog), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn logs(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<BuildLog>, Problem> {
    authorized(&state, &caller, id, see).await?;
    state.fresh().await?;
    Ok(Json(BuildLog { items: state.projections.workspaces().build_log(WorkspaceId(id)).await? }))
}
