//! Models and the providers that serve them.

use crate::{authentication::Authenticated, authorization::Action, problem::Problem, state::AppState};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Models {
    items: Vec<Model>,
    /// What a chat gets that asks for no model.
    default: String,
    /// Providers whose models could not be listed, and why.
    errors: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    /// `provider/model`
    name: String,
    provider: String,
    /// In tokens, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
}

/// The models that may be asked for.
#[utoipa::path(get, path = "/models", responses((status = 200, body = Models), (status = 401, body = Problem)))]
pub(super) async fn list(State(state): State<AppState>, caller: Authenticated) -> Result<Json<Models>, Problem> {
    caller.require(Action::Browse)?;
    let policy = state.control.current_policy().await?;
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    for listed in state.control.providers.models().await {
        match listed.models {
            Ok(models) => items.extend(models.into_iter().filter(|model| policy.allows_model(&model.name)).map(|model| {
                Model { name: model.name.to_string(), provider: model.provider, context_window: model.context_window }
            })),
            Err(error) => errors.push(format!("{}: {error}", listed.provider)),
        }
    }
    let default = match policy.default_model {
        Some(model) => model,
        None => state.control.providers.default_model().await,
    };
    Ok(Json(Models { items, default: default.to_string(), errors }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderNames {
    items: Vec<Provider>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Provider {
    name: String,
    /// Whether the policy leaves it.
    enabled: bool,
}

/// The configured providers. Their keys are never shown.
#[utoipa::path(get, path = "/providers", responses((status = 200, body = ProviderNames), (status = 401, body = Problem)))]
pub(super) async fn providers(State(state): State<AppState>, caller: Authenticated) -> Result<Json<ProviderNames>, Problem> {
    caller.require(Action::Browse)?;
    let policy = state.control.current_policy().await?;
    let names = state.control.providers.names().into_iter();
    let items = names.map(|name| Provider { enabled: policy.allows(docket_domain::policy::Subject::Provider, &name), name });
    Ok(Json(ProviderNames { items: items.collect() }))
}
