//! The central policy.

use crate::{authentication::Authenticated, authorization::Action, extract::Body, problem::Problem, state::AppState};
use axum::{Json, extract::State};
use docket_domain::policy::{Policy, PolicyCommand, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyDocument {
    /// None means the built-in text.
    system_prompt: Option<String>,
    default_model: Option<String>,
    /// Model calls in one turn.
    step_limit: u32,
    /// What was taken away, as `subject:name`.
    withdrawn: Vec<Withdrawn>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawn {
    /// `model`, `provider`, `tool` or `template`.
    #[schema(value_type = String)]
    subject: Subject,
    name: String,
}

impl From<Policy> for PolicyDocument {
    fn from(policy: Policy) -> Self {
        let withdrawn = policy.withdrawn.into_iter().map(|(subject, name)| Withdrawn { subject, name });
        Self {
            system_prompt: policy.system_prompt,
            default_model: policy.default_model.map(|model| model.to_string()),
            step_limit: policy.step_limit,
            withdrawn: withdrawn.collect(),
        }
    }
}

/// The policy in force.
#[utoipa::path(get, path = "/policy",
    responses((status = 200, body = PolicyDocument), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn get(State(state): State<AppState>, caller: Authenticated) -> Result<Json<PolicyDocument>, Problem> {
    caller.require(Action::Audit)?;
    Ok(Json(state.control.current_policy().await?.into()))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyChange {
    system_prompt: Option<String>,
    /// `provider/model`
    default_model: Option<String>,
    step_limit: Option<u32>,
    #[serde(default)]
    withdraw: Vec<Withdrawn>,
    #[serde(default)]
    restore: Vec<Withdrawn>,
}

/// Changes the policy; it holds at the next step of every running chat.
#[utoipa::path(patch, path = "/policy", request_body = PolicyChange,
    responses((status = 200, body = PolicyDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn change(
    State(state): State<AppState>,
    caller: Authenticated,
    Body(change): Body<PolicyChange>,
) -> Result<Json<PolicyDocument>, Problem> {
    caller.require(Action::Administer)?;
    let model = change.default_model.map(|name| name.parse()).transpose();
    let model = model.map_err(|error| Problem::invalid(format!("default_model: {error}")))?;
    let mut commands = Vec::new();
    commands.extend(change.system_prompt.map(|text| PolicyCommand::SetSystemPrompt { text }));
    commands.extend(model.map(|model| PolicyCommand::SetDefaultModel { model: Some(model) }));
    commands.extend(change.step_limit.map(|steps| PolicyCommand::SetStepLimit { steps }));
    let withdraw = |Withdrawn { subject, name }| PolicyCommand::Withdraw { subject, name };
    commands.extend(change.withdraw.into_iter().map(withdraw));
    let restore = |Withdrawn { subject, name }| PolicyCommand::Restore { subject, name };
    commands.extend(change.restore.into_iter().map(restore));
    for command in commands {
        state.control.policy(caller.metadata(), command).await?;
    }
    Ok(Json(state.control.current_policy().await?.into()))
}
