//! Tokens used, by chat, user, model and day.

use super::chats::limit;
use crate::{
    authentication::Authenticated,
    authorization::{Action, allowed},
    extract::Query,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State};
use docket_domain::ids::{ChatId, UserId};
use docket_projections::usage::{UsagePage, UsageQuery};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TotalsQuery {
    user: Option<Uuid>,
    chat: Option<Uuid>,
    /// `provider/model`
    model: Option<String>,
    /// µs since 1970
    from: Option<i64>,
    /// µs since 1970
    to: Option<i64>,
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    limit: Option<usize>,
}

/// What was used. Who may not see everybody's sees their own.
#[utoipa::path(get, path = "/usage", params(TotalsQuery),
    responses((status = 200, body = UsagePage), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn totals(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<TotalsQuery>,
) -> Result<Json<UsagePage>, Problem> {
    let user = match query.user.map(UserId) {
        _ if allowed(&caller.0, Action::Audit) => query.user.map(UserId),
        None => Some(caller.0.user),
        Some(user) if user == caller.0.user => Some(user),
        Some(_) => return Err(Problem::not_found("user")),
    };
    state.fresh().await?;
    let query = UsageQuery {
        user,
        chat: query.chat.map(ChatId),
        model: query.model,
        from: query.from,
        to: query.to,
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    Ok(Json(state.projections.usage().query(&query).await?))
}
