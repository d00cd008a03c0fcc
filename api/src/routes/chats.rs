//! Chats: make, list, see, change, interrupt.

use crate::{
    authentication::Authenticated,
    authorization::{Action, allowed},
    extract::{Body, Path, Query},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use docket_domain::{
    chat::{ChatCommand, Status, command::Prompt},
    conversation::PromptPart,
    ids::{ChatId, UserId, WorkspaceId},
    model_name::ModelName,
    policy::Policy,
};
use docket_projections::chat::{ChatDocument, ChatPage, ChatQuery, ChatSnapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A piece of a prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Part {
    Text { text: String },
}

pub(super) fn parts(content: Vec<Part>) -> Vec<PromptPart> {
    content.into_iter().map(|Part::Text { text }| PromptPart::Text { text }).collect()
}

/// Every command's answer: the position of its last event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    pub position: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewChat {
    /// The first prompt; the chat waits for one if it is left out.
    content: Option<Vec<Part>>,
    /// `provider/model`; the policy's default if it is left out.
    model: Option<String>,
    workspace_id: Option<Uuid>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    title: Option<String>,
}

/// A model's name that may be asked for.
pub(super) async fn model(state: &AppState, name: Option<String>) -> Result<Option<ModelName>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let model: ModelName = name.parse().map_err(|error| Problem::invalid(format!("model: {error}")))?;
    let known = state.control.providers.names();
    if !known.iter().any(|provider| provider == model.provider()) {
        let detail = format!("model: there is no provider {:?}; there are {}", model.provider(), known.join(", "));
        return Err(Problem::invalid(detail));
    }
    let policy: Policy = state.control.current_policy().await?;
    if !policy.allows_model(&model) {
        return Err(Problem::invalid(format!("model: {model} was withdrawn by an administrator")));
    }
    Ok(Some(model))
}

/// The owner of a chat that the caller may see, or work with.
pub(super) async fn authorized(
    state: &AppState,
    caller: &Authenticated,
    chat: Uuid,
    action: impl FnOnce(UserId) -> Action,
) -> Result<UserId, Problem> {
    let owner = state.control.chats.read(chat, |chat, _| chat.owner).await?;
    let owner = owner.ok_or_else(|| Problem::not_found("chat"))?;
    caller.require_of("chat", action(owner))?;
    Ok(owner)
}

pub(super) fn work(owner: UserId) -> Action {
    Action::Work { owner }
}

pub(super) fn see(owner: UserId) -> Action {
    Action::See { owner }
}

/// Makes a chat; with content, its first turn begins.
#[utoipa::path(post, path = "/chats", request_body = NewChat,
    responses((status = 201, body = ChatDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authenticated,
    Command(command): Command,
    Body(body): Body<NewChat>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Action::Create)?;
    let model = model(&state, body.model).await?;
    let workspace_id = body.workspace_id.map(WorkspaceId);
    if let Some(id) = workspace_id {
        let owner = state.control.workspaces.read(id.0, |workspace, _| workspace.owner).await?;
        let allowed = owner.is_some_and(|owner| allowed(&caller.0, work(owner)));
        if !allowed {
            return Err(Problem::invalid("workspace_id: there is no such workspace"));
        }
    }
    let id = ChatId::derive(command.0, "chat");
    let prompt = body.content.map(|content| Prompt {
        id: Uuid::new_v5(&command.0, b"prompt"),
        by: caller.0.user,
        content: parts(content),
        model: model.clone(),
    });
    let create =
        ChatCommand::Create { owner: caller.0.user, title: body.title, model, workspace_id, labels: body.labels, prompt };
    let done = state.control.chat(id, caller.metadata().commanded(command), create, vec![]).await?;
    state.reached(done.position).await;
    let chat = state.projections.chats().get(id).await?.ok_or_else(|| Problem::not_found("chat"))?;
    let location = format!("/api/v1/chats/{id}");
    Ok((StatusCode::CREATED, AppendHeaders([(header::LOCATION, location)]), Json(chat)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Text in the title or the first prompt.
    q: Option<String>,
    /// `waiting`, `pending`, `running`, `interrupting` or `error`.
    status: Option<String>,
    /// `name=value`
    label: Option<String>,
    archived: Option<bool>,
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    limit: Option<usize>,
}

/// Messages in a snapshot, the newest ones; the rest is paged.
pub(super) const SNAPSHOT_MESSAGES: usize = 100;

pub(super) fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(50),
        Some(limit @ 1..=200) => Ok(limit),
        Some(limit) => Err(Problem::invalid(format!("limit: 1 to 200, not {limit}"))),
    }
}

/// Lists chats: pinned ones first, then the latest activity first.
#[utoipa::path(get, path = "/chats", params(ListQuery),
    responses((status = 200, body = ChatPage), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<ListQuery>,
) -> Result<Json<ChatPage>, Problem> {
    state.fresh().await?;
    let status = query.status.map(|status| status.parse::<Status>()).transpose();
    let status = status.map_err(|_| Problem::invalid("status: waiting, pending, running, interrupting or error"))?;
    let label = query.label.map(|label| match label.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Problem::invalid("label: name=value")),
    });
    // Who sees everybody's chats, by role, is told so by the one function.
    let everybody = allowed(&caller.0, see(UserId::SYSTEM));
    let query = ChatQuery {
        owner: (!everybody).then_some(caller.0.user),
        q: query.q,
        status,
        labels: label.transpose()?.into_iter().collect(),
        archived: query.archived.unwrap_or(false),
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    Ok(Json(state.projections.chats().list(&query).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AtQuery {
    /// Show the chat as of this position of the log.
    at: Option<u64>,
}

/// A chat with its newest messages, now or as of a position.
#[utoipa::path(get, path = "/chats/{id}", params(("id" = Uuid, Path), AtQuery),
    responses((status = 200, body = ChatSnapshot), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Query(query): Query<AtQuery>,
) -> Result<Json<ChatSnapshot>, Problem> {
    authorized(&state, &caller, id, see).await?;
    let snapshot = match query.at {
        Some(position) => state.projections.chats().at(ChatId(id), position, SNAPSHOT_MESSAGES).await?,
        None => {
            state.fresh().await?;
            state.projections.chats().snapshot(ChatId(id), SNAPSHOT_MESSAGES).await?
        }
    };
    snapshot.map(Json).ok_or_else(|| Problem::not_found("chat at that position"))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatChange {
    title: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    archived: Option<bool>,
    pinned: Option<bool>,
}

/// Changes title, labels, archive, pin.
#[utoipa::path(patch, path = "/chats/{id}", params(("id" = Uuid, Path)), request_body = ChatChange,
    responses((status = 200, body = ChatDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Body(change): Body<ChatChange>,
) -> Result<Json<ChatDocument>, Problem> {
    authorized(&state, &caller, id, work).await?;
    let commands = [
        change.title.map(|title| ChatCommand::SetTitle { title }),
        change.labels.map(|labels| ChatCommand::SetLabels { labels }),
        change.archived.map(|archived| ChatCommand::SetArchived { archived }),
        change.pinned.map(|pinned| ChatCommand::SetPinned { pinned }),
    ];
    for command in commands.into_iter().flatten() {
        let done = state.control.chat(ChatId(id), caller.metadata(), command, vec![]).await?;
        state.reached(done.position).await;
    }
    state.projections.chats().get(ChatId(id)).await?.map(Json).ok_or_else(|| Problem::not_found("chat"))
}

/// Interrupts the turn under way; what was said until then is kept.
#[utoipa::path(post, path = "/chats/{id}/interrupt", params(("id" = Uuid, Path)),
    responses((status = 202, body = Accepted), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn interrupt(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Command(command): Command,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    authorized(&state, &caller, id, work).await?;
    let metadata = caller.metadata().commanded(command);
    let done = state.control.chat(ChatId(id), metadata, ChatCommand::Interrupt { by: caller.0.user }, vec![]).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { position: done.position })))
}
