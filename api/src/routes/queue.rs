//! The queue of a chat.

use super::chats::{Accepted, Part, authorized, parts, see, work};
use crate::{
    authentication::Authenticated,
    extract::{Body, Path},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    chat::ChatCommand,
    ids::{ChatId, QueuedId},
};
use docket_projections::chat::QueuedDocument;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queue {
    items: Vec<QueuedDocument>,
}

/// The prompts that wait, in order.
#[utoipa::path(get, path = "/chats/{id}/queue", params(("id" = Uuid, Path)),
    responses((status = 200, body = Queue), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<Queue>, Problem> {
    authorized(&state, &caller, id, see).await?;
    state.fresh().await?;
    let chat = state.projections.chats().get(ChatId(id)).await?.ok_or_else(|| Problem::not_found("chat"))?;
    Ok(Json(Queue { items: chat.queue }))
}

async fn carry_out(
    state: &AppState,
    caller: &Authenticated,
    id: Uuid,
    command: ChatCommand,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    authorized(state, caller, id, work).await?;
    let done = state.control.chat(ChatId(id), caller.metadata(), command, vec![]).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { position: done.position })))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Every queued prompt's id, in the new order.
    order: Vec<Uuid>,
}

/// Puts the queue in another order.
#[utoipa::path(patch, path = "/chats/{id}/queue", params(("id" = Uuid, Path)), request_body = Order,
    responses((status = 202, body = Accepted), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn reorder(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Body(body): Body<Order>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let order = body.order.into_iter().map(QueuedId).collect();
    carry_out(&state, &caller, id, ChatCommand::ReorderQueue { order }).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    content: Vec<Part>,
}

/// Changes a prompt that waits.
#[utoipa::path(patch, path = "/chats/{id}/queue/{queued_id}", params(("id" = Uuid, Path), ("queued_id" = Uuid, Path)),
    request_body = Edit,
    responses((status = 202, body = Accepted), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn edit(
    State(state): State<AppState>,
    caller: Authenticated,
    Path((id, queued_id)): Path<(Uuid, Uuid)>,
    Body(body): Body<Edit>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let command = ChatCommand::EditQueued { queued_id: QueuedId(queued_id), content: parts(body.content) };
    carry_out(&state, &caller, id, command).await
}

/// Takes a prompt out of the queue.
#[utoipa::path(delete, path = "/chats/{id}/queue/{queued_id}", params(("id" = Uuid, Path), ("queued_id" = Uuid, Path)),
    responses((status = 202, body = Accepted), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem)))]
pub(super) async fn remove(
    State(state): State<AppState>,
    caller: Authenticated,
    Path((id, queued_id)): Path<(Uuid, Uuid)>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    carry_out(&state, &caller, id, ChatCommand::RemoveQueued { queued_id: QueuedId(queued_id) }).await
}

/// Sends a waiting prompt now: the turn under way is interrupted.
#[utoipa::path(post, path = "/chats/{id}/queue/{queued_id}/promote",
    params(("id" = Uuid, Path), ("queued_id" = Uuid, Path)),
    responses((status = 202, body = Accepted), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem)))]
pub(super) async fn promote(
    State(state): State<AppState>,
    caller: Authenticated,
    Path((id, queued_id)): Path<(Uuid, Uuid)>,
    Command(command): Command,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    authorized(&state, &caller, id, work).await?;
    let promote = ChatCommand::PromoteQueued { queued_id: QueuedId(queued_id), by: caller.0.user };
    let metadata = caller.metadata().commanded(command);
    let done = state.control.chat(ChatId(id), metadata, promote, vec![]).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { position: done.position })))
}
