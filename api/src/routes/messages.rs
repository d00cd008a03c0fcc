//! Messages of a chat: page through them, send one.

use super::chats::{Part, authorized, limit, model, parts, see, work};
use crate::{
    authentication::Authenticated,
    extract::{Body, Path, Query},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    chat::{ChatCommand, Delivery, command::Prompt},
    ids::ChatId,
};
use docket_projections::chat::{MessagePage, MessageRange};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Only messages before this ordinal.
    before: Option<u64>,
    /// Only messages after this ordinal.
    after: Option<u64>,
    /// 1 to 200, by default 50.
    limit: Option<usize>,
}

/// Messages in order: the newest ones, or those before or after an ordinal.
#[utoipa::path(get, path = "/chats/{id}/messages", params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, body = MessagePage), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Query(query): Query<PageQuery>,
) -> Result<Json<MessagePage>, Problem> {
    authorized(&state, &caller, id, see).await?;
    let range = match (query.before, query.after) {
        (None, None) => MessageRange::Newest,
        (Some(ordinal), None) => MessageRange::Before(ordinal),
        (None, Some(ordinal)) => MessageRange::After(ordinal),
        (Some(_), Some(_)) => return Err(Problem::invalid("before, after: only one of them")),
    };
    state.fresh().await?;
    let reads = state.projections.chats();
    let page = reads.messages(ChatId(id), range, limit(query.limit)?);
    Ok(Json(page.await?))
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    #[default]
    TurnEnd,
    NextStep,
    Interrupt,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    content: Vec<Part>,
    /// When it is to reach the model, if a turn is under way.
    #[serde(default)]
    delivery: When,
    /// `provider/model`; the chat's last one if it is left out.
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sent {
    /// Whether it waits in the queue.
    queued: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_id: Option<Uuid>,
    position: u64,
}

/// Sends a prompt: it begins a turn, or waits in the queue while one is under way.
#[utoipa::path(post, path = "/chats/{id}/messages", params(("id" = Uuid, Path)), request_body = NewMessage,
    responses((status = 202, body = Sent), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn send(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Command(command): Command,
    Body(body): Body<NewMessage>,
) -> Result<(StatusCode, Json<Sent>), Problem> {
    authorized(&state, &caller, id, work).await?;
    let prompt_id = Uuid::new_v5(&command.0, b"prompt");
    let model = model(&state, body.model).await?;
    let delivery = match body.delivery {
        When::TurnEnd => Delivery::TurnEnd,
        When::NextStep => Delivery::NextStep,
        When::Interrupt => Delivery::Interrupt,
    };
    let prompt = Prompt { id: prompt_id, by: caller.0.user, content: parts(body.content), model };
    let submit = ChatCommand::Submit { prompt, delivery };
    let metadata = caller.metadata().commanded(command);
    let done = state.control.chat(ChatId(id), metadata, submit, vec![]).await?;
    let waits = |chat: &docket_domain::chat::Chat, _| chat.queue.iter().any(|queued| queued.id.0 == prompt_id);
    let queued = state.control.chats.read(id, waits).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Sent {
            queued,
            message_id: (!queued).then_some(prompt_id),
            queued_id: queued.then_some(prompt_id),
            position: done.position,
        }),
    ))
}
