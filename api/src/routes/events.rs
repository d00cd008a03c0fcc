//! Streams of events (SSE).

use super::chats::{SNAPSHOT_MESSAGES, authorized, see};
use crate::{
    authentication::Authenticated,
    authorization::{Action, Caller, allowed},
    extract::{Path, Query},
    problem::Problem,
    sse::{Cursor, Source, Visible, named_frame, respond},
    state::AppState,
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use docket_domain::ids::{ChatId, UserId};
use docket_eventlog::Filter;
use docket_projections::chat::{ChatQuery, ChatSnapshot, ChatSummary};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Chats that one connection carries at most.
const MAX_CHATS: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Go on after this position. `Last-Event-ID` wins over it.
    after: Option<u64>,
    /// End when everything up to this position was sent.
    until: Option<u64>,
    /// Only these event types, separated by commas.
    types: Option<String>,
}

impl EventsQuery {
    fn narrow(&self, filter: Filter) -> Filter {
        let types: Vec<&str> = self.types.iter().flat_map(|types| types.split(',')).filter(|name| !name.is_empty()).collect();
        if types.is_empty() { filter } else { filter.types(types) }
    }
}

/// The events of a chat and of its model calls. Without a cursor, `event: snapshot` comes first: the chat as of its `id`.
#[utoipa::path(get, path = "/chats/{id}/events", params(("id" = Uuid, Path), EventsQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn of_chat(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    authorized(&state, &caller, id, see).await?;
    let Cursor(cursor) = Cursor::of(&headers, query.after, &state).await?;
    let mut opening = Vec::new();
    let after = match cursor {
        Some(position) => position,
        None => {
            let snapshot = snapshot(&state, ChatId(id)).await?;
            named_frame("snapshot", Some(snapshot.position), &snapshot, &mut opening);
            snapshot.position
        }
    };
    let filter = query.narrow(Filter::scope(id));
    Ok(respond(&state, Source { opening, after, filter, until: query.until, keep: None }))
}

async fn snapshot(state: &AppState, id: ChatId) -> Result<ChatSnapshot, Problem> {
    state.fresh().await?;
    state.projections.chats().snapshot(id, SNAPSHOT_MESSAGES).await?.ok_or_else(|| Problem::not_found("chat"))
}

/// The whole log, for auditors. Begins at the first event, unless a cursor says otherwise.
#[utoipa::path(get, path = "/events", params(EventsQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn of_log(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(Action::Audit)?;
    let Cursor(cursor) = Cursor::of(&headers, query.after, &state).await?;
    let (after, filter) = (cursor.unwrap_or(0), query.narrow(Filter::all()));
    Ok(respond(&state, Source { opening: vec![], after, filter, until: query.until, keep: None }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Head {
    /// Of the newest event.
    position: u64,
}

/// Where the log is.
#[utoipa::path(get, path = "/events/head", responses((status = 200, body = Head), (status = 401, body = Problem)))]
pub(super) async fn head(State(state): State<AppState>, _: Authenticated) -> Result<Json<Head>, Problem> {
    Ok(Json(Head { position: state.control.log.head().await? }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct SeveralQuery {
    /// Ids of chats, separated by commas; at most 50.
    chats: Option<String>,
    /// Carry what changes the list of chats, too.
    list: Option<bool>,
    /// Go on after this position. `Last-Event-ID` wins over it.
    after: Option<u64>,
}

/// What several chats look like, where a stream of them begins. Events of a chat up to its own snapshot's position are in the
/// snapshot already.
#[derive(Debug, Serialize)]
struct SeveralSnapshot {
    position: u64,
    chats: Vec<ChatSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<Vec<ChatSummary>>,
}

/// Several chats and the list of chats on one connection, with one cursor: a browser allows few connections to a host.
#[utoipa::path(get, path = "/stream", params(SeveralQuery),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
              (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn of_several(
    State(state): State<AppState>,
    caller: Authenticated,
    Query(query): Query<SeveralQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let ids: Result<Vec<Uuid>, _> =
        query.chats.iter().flat_map(|ids| ids.split(',')).filter(|id| !id.is_empty()).map(Uuid::parse_str).collect();
    let ids = ids.map_err(|error| Problem::invalid(format!("chats: {error}")))?;
    let list = query.list.unwrap_or(false);
    if ids.len() > MAX_CHATS || (ids.is_empty() && !list) {
        return Err(Problem::invalid(format!("chats: 1 to {MAX_CHATS} ids, or list=true")));
    }
    for id in &ids {
        authorized(&state, &caller, *id, see).await?;
    }
    let Cursor(cursor) = Cursor::of(&headers, query.after, &state).await?;
    let mut opening = Vec::new();
    let after = match cursor {
        Some(position) => position,
        None => {
            let snapshot = several(&state, &caller.0, &ids, list).await?;
            named_frame("snapshot", Some(snapshot.position), &snapshot, &mut opening);
            snapshot.position
        }
    };
    if !list {
        let filter = Filter::scopes(ids);
        return Ok(respond(&state, Source { opening, after, filter, until: None, keep: None }));
    }
    // Model calls are shown of the watched chats alone.
    let aggregates = if ids.is_empty() { &["chat"][..] } else { &["chat", "model_call"] };
    let filter = Filter::all().aggregates(aggregates.iter().copied());
    let keep = Visible { control: state.control.clone(), caller: caller.0, watched: ids, known: HashMap::new() };
    Ok(respond(&state, Source { opening, after, filter, until: None, keep: Some(keep) }))
}

async fn several(state: &AppState, caller: &Caller, ids: &[Uuid], list: bool) -> Result<SeveralSnapshot, Problem> {
    let mut position = state.control.log.head().await?;
    let documents = if list {
        state.fresh().await?;
        let everybody = allowed(caller, see(UserId::SYSTEM));
        let query = ChatQuery { owner: (!everybody).then_some(caller.user), limit: 200, ..ChatQuery::default() };
        Some(state.projections.chats().list(&query).await?.items)
    } else {
        None
    };
    let mut chats = Vec::with_capacity(ids.len());
    for id in ids {
        let snapshot = snapshot(state, ChatId(*id)).await?;
        position = position.min(snapshot.position);
        chats.push(snapshot);
    }
    Ok(SeveralSnapshot { position, chats, list: documents })
}
