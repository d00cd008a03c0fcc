//! Templates: list, see; administrators make and change them.

use crate::{
    authentication::Authenticated,
    authorization::Action,
    extract::{Body, Path},
    idempotency::Command,
    problem::Problem,
    state::AppState,
};
use axum::{Json, extract::State, http::StatusCode};
use docket_domain::{
    ids::TemplateId,
    template::{Provisioner, TemplateCommand},
};
use docket_projections::templates::{TemplateDocument, TemplateList};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Templates {
    items: Vec<TemplateDocument>,
}

/// All templates, the most used first.
#[utoipa::path(get, path = "/templates", responses((status = 200, body = Templates), (status = 401, body = Problem)))]
pub(super) async fn list(State(state): State<AppState>, caller: Authenticated) -> Result<Json<Templates>, Problem> {
    caller.require(Action::Browse)?;
    state.fresh().await?;
    Ok(Json(Templates { items: state.projections.templates().list(TemplateList::All).await? }))
}

async fn document(state: &AppState, id: Uuid) -> Result<TemplateDocument, Problem> {
    state.fresh().await?;
    state.projections.templates().get(TemplateId(id)).await?.ok_or_else(|| Problem::not_found("template"))
}

/// A template.
#[utoipa::path(get, path = "/templates/{id}", params(("id" = Uuid, Path)),
    responses((status = 200, body = TemplateDocument), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
) -> Result<Json<TemplateDocument>, Problem> {
    caller.require(Action::Browse)?;
    Ok(Json(document(&state, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTemplate {
    name: String,
    #[serde(default)]
    description: String,
}

/// Makes a template whose workspaces are processes on the control plane's machine.
#[utoipa::path(post, path = "/templates", request_body = NewTemplate,
    responses((status = 201, body = TemplateDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authenticated,
    Command(command): Command,
    Body(body): Body<NewTemplate>,
) -> Result<(StatusCode, Json<TemplateDocument>), Problem> {
    caller.require(Action::Administer)?;
    let taken = state.control.directory.templates().into_iter().any(|template| template.name == body.name);
    let id = TemplateId::derive(command.0, "template");
    if taken && state.control.directory.template(id).is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, "name_taken", "name: another template has it"));
    }
    let create = TemplateCommand::Create { name: body.name, description: body.description, provisioner: Provisioner::Process };
    state.control.template(id, caller.metadata().commanded(command), create).await?;
    Ok((StatusCode::CREATED, Json(document(&state, id.0).await?)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateChange {
    description: Option<String>,
    archived: Option<bool>,
}

/// Changes a template's description, or archives it.
#[utoipa::path(patch, path = "/templates/{id}", params(("id" = Uuid, Path)), request_body = TemplateChange,
    responses((status = 200, body = TemplateDocument), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(state): State<AppState>,
    caller: Authenticated,
    Path(id): Path<Uuid>,
    Body(body): Body<TemplateChange>,
) -> Result<Json<TemplateDocument>, Problem> {
    caller.require(Action::Administer)?;
    let commands = [
        body.description.map(|description| TemplateCommand::Describe { description }),
        body.archived.map(|archived| TemplateCommand::SetArchived { archived }),
    ];
    for command in commands.into_iter().flatten() {
        state.control.template(TemplateId(id), caller.metadata(), command).await?;
    }
    Ok(Json(document(&state, id).await?))
}
