//! The daemon's HTTP interface, served inside the tunnel only.

use crate::{
    calls::{Answer, Call, Calls},
    edit,
    file::{read, transaction::Change, write},
    metadata::About,
    process::table::Table,
    refusal::Refusal,
    root::Root,
};
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{DefaultBodyLimit, Path, Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use docket_wire::{
    file::{EditFiles, ReadFile, WriteFile},
    limits::REQUEST_BYTES,
    problem::IDEMPOTENCY_KEY,
    process::{ListQuery, OutputQuery, SignalProcess, StartProcess},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// What all requests work on.
#[derive(Debug)]
pub struct App {
    /// Files.
    pub root: Root,
    /// Idempotency.
    pub calls: Arc<Calls>,
    /// Processes.
    pub processes: Table,
    /// Metadata.
    pub about: About,
}

type Shared = State<Arc<App>>;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/ping", get(|| async { json(&serde_json::json!({})) }))
        .route("/v1/metadata", get(metadata))
        .route("/v1/files/read", post(read_file))
        .route("/v1/files/write", post(write_file))
        .route("/v1/files/edit", post(edit_files))
        .route("/v1/processes", get(list).post(start))
        .route("/v1/processes/{id}/output", get(output))
        .route("/v1/processes/{id}/signal", post(signal))
        .fallback(|| async { Refusal::with(404, "no_such_route", "there is no such route") })
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

async fn metadata(State(app): Shared) -> Response {
    blocking(move || app.about.metadata(&app.root, app.processes.running())).await.into_response()
}

async fn read_file(State(app): Shared, request: Request) -> Response {
    match body::<ReadFile>(request).await {
        Ok((request, _)) => blocking(move || read::read(&app.root, &request)).await.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn write_file(State(app): Shared, request: Request) -> Response {
    change(app, request, "files/write", |root, request: &WriteFile| {
        let (change, written) = write::plan(root, request)?;
        Ok((vec![change], Answer::ok(&written)))
    })
    .await
}

async fn edit_files(State(app): Shared, request: Request) -> Response {
    change(app, request, "files/edit", |root, request: &EditFiles| {
        let (changes, edited) = edit::plan(root, request)?;
        Ok((changes, Answer::ok(&edited)))
    })
    .await
}

async fn change<T>(
    app: Arc<App>,
    request: Request,
    route: &str,
    plan: impl FnOnce(&Root, &T) -> Result<(Vec<Change>, Answer), Refusal> + Send + 'static,
) -> Response
where
    T: DeserializeOwned + Serialize + Send + Sync + 'static,
{
    let (request, call) = match keyed::<T>(request, route).await {
        Ok(keyed) => keyed,
        Err(refusal) => return refusal.into_response(),
    };
    let calls = Arc::clone(&app.calls);
    let effect = move |call: Call| async move {
        let work = move || match plan(&app.root, &request) {
            Ok((changes, answer)) => app.calls.change(&app.root, &call, &changes, answer),
            Err(refusal) => refusal.into(),
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Refusal::internal("the change", &error).into())
    };
    calls.once(call, effect).await.into_response()
}

async fn start(State(app): Shared, request: Request) -> Response {
    let (request, call) = match keyed::<StartProcess>(request, "processes").await {
        Ok(keyed) => keyed,
        Err(refusal) => return refusal.into_response(),
    };
    let calls = Arc::clone(&app.calls);
    let effect = move |call: Call| async move {
        match app.processes.start(&app.root, &call, request).await {
            Ok(output) => Answer::ok(&output),
            Err(refusal) => refusal.into(),
        }
    };
    calls.once(call, effect).await.into_response()
}

async fn signal(State(app): Shared, Path(id): Path<String>, request: Request) -> Response {
    let (request, call) = match keyed::<SignalProcess>(request, &format!("processes/{id}/signal")).await {
        Ok(keyed) => keyed,
        Err(refusal) => return refusal.into_response(),
    };
    let calls = Arc::clone(&app.calls);
    let effect = move |call: Call| async move {
        let failed = |error: std::io::Error| Answer::from(Refusal::internal("the journal", &error));
        if let Err(error) = app.calls.begin(&call) {
            return failed(error);
        }
        let answer = match app.processes.signal(&id, &request).await {
            Ok(signalled) => Answer::ok(&signalled),
            Err(refusal) => refusal.into(),
        };
        app.calls.end(&call, &answer).map_or_else(failed, |()| answer)
    };
    calls.once(call, effect).await.into_response()
}

async fn output(State(app): Shared, Path(id): Path<String>, query: Result<Query<OutputQuery>, QueryRejection>) -> Response {
    match query {
        Ok(Query(query)) => result(app.processes.output(&id, &query).await),
        Err(rejection) => Refusal::invalid("invalid_request", rejection.body_text()).into_response(),
    }
}

async fn list(State(app): Shared, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    match query {
        Ok(Query(query)) => json(&app.processes.list(&query)),
        Err(rejection) => Refusal::invalid("invalid_request", rejection.body_text()).into_response(),
    }
}

/// A request's JSON body and its idempotency key.
async fn body<T: DeserializeOwned>(request: Request) -> Result<(T, Option<String>), Refusal> {
    let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).map(str::to_owned);
    let bytes: Bytes = to_bytes(request.into_body(), REQUEST_BYTES)
        .await
        .map_err(|_| Refusal::with(413, "request_too_large", format!("a request has at most {REQUEST_BYTES} bytes")))?;
    let request = serde_json::from_slice(&bytes).map_err(|error| Refusal::invalid("invalid_request", error.to_string()))?;
    Ok((request, key))
}

async fn keyed<T: DeserializeOwned + Serialize>(request: Request, route: &str) -> Result<(T, Call), Refusal> {
    let (request, key) = body::<T>(request).await?;
    let call = Call::new(key.as_deref(), route, &request)?;
    Ok((request, call))
}

async fn blocking<T: Serialize + Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Response {
    result(tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Refusal::internal("the request", &error))))
}

fn result<T: Serialize>(result: Result<T, Refusal>) -> Response {
    result.map_or_else(IntoResponse::into_response, |value| json(&value))
}

fn json<T: Serialize>(value: &T) -> Response {
    Answer::ok(value).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}
