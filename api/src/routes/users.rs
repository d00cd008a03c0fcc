//! People.

use crate::{
    authentication::Authenticated,
    authorization::Action,
    extract::{Body, Path},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    ids::UserId,
    user::{Role, UserCommand},
};
use docket_projections::users::UserDocument;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Users {
    items: Vec<UserDocument>,
}

/// Everybody.
#[utoipa::path(get, path = "/users",
    responses((status = 200, body = Users), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn list(State(state): State<AppState>, caller: Authenticated) -> Result<Json<Users>, Problem> {
    caller.require(Action::Audit)?;
    state.fresh().await?;
    Ok(Json(Users { items: state.projections.users().list().await? }))
}

async fn document(state: &AppState, id: UserId) -> Result<UserDocument, Problem> {
    state.fresh().await?;
    state.projections.users().get(id).await?.ok_or_else(|| Problem::not_found("user"))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: String,
    /// `owner`, `administrator`, `auditor` or `member`.
    #[schema(value_type = String)]
    role: Role,
}

/// Makes an account. Its holder gets a token from `POST /tokens` with `user_id`.
#[utoipa::path(post, path = "/users", request_body = NewUser,
    responses((status = 201, body = UserDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authenticated,
    Command(command): Command,
    Body(body): Body<NewUser>,
) -> Result<(StatusCode, Json<UserDocument>), Problem> {
    caller.require(Action::Grant { role: body.role })?;
    let id = UserId::derive(command.0, "user");
    let create = UserCommand::Create { name: body.name, role: body.role };
    state.control.user(id, caller.metadata().commanded(command), create).await?;
    Ok((StatusCode::CREATED, Json(document(&state, id).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// `owner`, `administrator`, `auditor` or `member`.
    #[schema(value_type = String)]
    role: Role,
}

/// Changes a person's role.
#[utoipa::path(patch, path = "/users/{id}", params(("id" = Uuid, Path)), request_body = UserChange,
    responses((status = 200, body = UserDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Body(body): Body<UserChange>,
) -> Result<Json<UserDocument>, Problem> {
    caller.require(Action::Grant { role: body.role })?;
    let held = state.control.users.read(id, |user, _| user.role).await?;
    caller.require(Action::Grant { role: held.unwrap_or(Role::Member) })?;
    state.control.user(UserId(id), caller.metadata(), UserCommand::ChangeRole { role: body.role }).await?;
    Ok(Json(document(&state, UserId(id)).await?))
}
