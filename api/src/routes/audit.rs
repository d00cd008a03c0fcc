//! The audit log: who did what to which resource, when, with which outcome.

use super::chats::limit;
use crate::{authentication::Authenticated, authorization::Action, extract::Query, problem::Problem, state::AppState};
use axum::{Json, extract::State};
use docket_domain::ids::ChatId;
use docket_projections::audit_log::{AuditPage, AuditQuery};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The id of a user, worker or workspace.
    actor: Option<Uuid>,
    /// An event type, or a prefix that ends with a dot.
    action: Option<String>,
    chat: Option<Uuid>,
    /// µs since 1970
    from: Option<i64>,
    /// µs since 1970
    to: Option<i64>,
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    limit: Option<usize>,
}

/// Lists acts, the newest first.
#[utoipa::path(get, path = "/audit", params(ListQuery),
    responses((status = 200, body = AuditPage), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<ListQuery>,
) -> Result<Json<AuditPage>, Problem> {
    caller.require(Action::Audit)?;
    state.fresh().await?;
    let query = AuditQuery {
        actor: query.actor,
        action: query.action,
        chat: query.chat.map(ChatId),
        from: query.from,
        to: query.to,
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    Ok(Json(state.projections.audit_log().query(&query).await?))
}
