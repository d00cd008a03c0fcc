//! The routes, a file per noun. The list here is the whole interface.

mod audit;
mod bootstrap;
mod chats;
mod events;
mod health;
mod messages;
mod model_calls;
mod models;
mod policy;
mod projections;
mod queue;
mod templates;
mod tokens;
mod usage;
mod users;
mod workspaces;

use crate::{extract::MAX_BODY, problem::Problem, state::AppState};
use axum::{Json, Router, extract::DefaultBodyLimit, http::StatusCode, routing::get};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

#[derive(OpenApi)]
#[openapi(
    info(title = "Docket", description = "An event-sourced control plane for coding agents."),
    components(schemas(Problem)),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(chats::create, chats::list))
            .routes(routes!(chats::get, chats::change))
            .routes(routes!(chats::interrupt))
            .routes(routes!(messages::list, messages::send))
            .routes(routes!(queue::list, queue::reorder))
            .routes(routes!(queue::edit, queue::remove))
            .routes(routes!(queue::promote))
            .routes(routes!(model_calls::request))
            .routes(routes!(events::of_chat))
            .routes(routes!(events::of_log))
            .routes(routes!(events::head))
            .routes(routes!(events::of_several))
            .routes(routes!(workspaces::create, workspaces::list))
            .routes(routes!(workspaces::get, workspaces::delete))
            .routes(routes!(workspaces::start))
            .routes(routes!(workspaces::stop))
            .routes(routes!(workspaces::logs))
            .routes(routes!(bootstrap::bootstrap))
            .routes(routes!(templates::create, templates::list))
            .routes(routes!(templates::get, templates::change))
            .routes(routes!(models::list))
            .routes(routes!(models::providers))
            .routes(routes!(policy::get, policy::change))
            .routes(routes!(users::create, users::list))
            .routes(routes!(users::change))
            .routes(routes!(tokens::create, tokens::list))
            .routes(routes!(tokens::revoke))
            .routes(routes!(projections::list))
            .routes(routes!(projections::rebuild))
            .routes(routes!(projections::retry))
            .routes(routes!(audit::list))
            .routes(routes!(usage::totals)),
    )
}

/// The interface as an OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().split_for_parts().1
}

/// Everything that the server answers, but for the tunnel.
pub fn router(state: AppState) -> Router {
    let (router, document) = api().split_for_parts();
    router
        .route("/api/v1/openapi.json", get(move || async move { Json(document) }))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(|| async { Problem::not_found("route") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(state)
}
