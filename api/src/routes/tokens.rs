//! API tokens.

use crate::{
    authentication::Authenticated,
    authorization::Action,
    extract::{Body, Path, Query},
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    ids::{TokenId, UserId},
    user::{Role, UserCommand},
};
use docket_projections::users::TokenDocument;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for.
    name: String,
    /// 1 to 3650; never by default.
    expires_in_days: Option<u32>,
    /// Whose; the caller's by default.
    user_id: Option<Uuid>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedToken {
    id: Uuid,
    /// Shown here and never again.
    token: String,
    position: u64,
}

/// Makes a token. A repeat makes another one: a secret cannot be shown twice.
#[utoipa::path(post, path = "/tokens", request_body = NewToken,
    responses((status = 201, body = IssuedToken), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authenticated,
    Body(body): Body<NewToken>,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let user = body.user_id.map_or(caller.0.user, UserId);
    // Somebody without an account has no rights; the account's own decision says that there is none.
    let held = state.control.users.read(user.0, |user, _| user.role).await?;
    caller.require(Action::Issue { user, role: held.unwrap_or(Role::Member) })?;
    let days = match body.expires_in_days {
        Some(days) if !(1..=3650).contains(&days) => return Err(Problem::invalid("expires_in_days: 1 to 3650")),
        days => days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
    };
    let expires_at = days.map(|days| state.control.clock.now().plus(days));
    let issued = state.control.issue_token(user, caller.metadata(), body.name, expires_at).await?;
    state.reached(issued.position).await;
    let answer = IssuedToken { id: issued.id.0, token: issued.secret, position: issued.position };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct OfUser {
    /// Whose; the caller's by default.
    user_id: Option<Uuid>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tokens {
    items: Vec<TokenDocument>,
}

/// Lists tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", params(OfUser),
    responses((status = 200, body = Tokens), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<OfUser>,
) -> Result<Json<Tokens>, Problem> {
    let user = query.user_id.map_or(caller.0.user, UserId);
    caller.require(Action::Tokens { user })?;
    state.fresh().await?;
    Ok(Json(Tokens { items: state.projections.users().tokens(user).await? }))
}

/// Revokes a token, at once.
#[utoipa::path(delete, path = "/tokens/{id}", params(("id" = Uuid, Path), OfUser),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Query(query): Query<OfUser>,
) -> Result<StatusCode, Problem> {
    let user = query.user_id.map_or(caller.0.user, UserId);
    caller.require(Action::Tokens { user })?;
    let revoke = UserCommand::RevokeToken { token_id: TokenId(id) };
    let done = state.control.user(user, caller.metadata(), revoke).await?;
    state.reached(done.position).await;
    Ok(StatusCode::NO_CONTENT)
}
