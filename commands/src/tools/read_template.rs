use super::{Answer, Call};
use docket_domain::{ids::TemplateId, policy::Subject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) const DESCRIPTION: &str = "Describes a template.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_templates shows it.
    template_id: String,
}

#[derive(Serialize)]
struct Output {
    template_id: TemplateId,
    name: String,
    description: String,
    provisioner: String,
    workspaces: u64,
}

/// The template of that id or name, if the policy leaves it.
pub(super) async fn find(call: &Call, id: &str) -> Result<crate::directory::TemplateEntry, Answer> {
    let policy = call.control.current_policy().await;
    let policy = policy.map_err(|error| Answer::error(format!("The policy could not be read: {error}")))?;
    let directory = &call.control.directory;
    let by_id = Uuid::parse_str(id).ok().and_then(|id| directory.template(TemplateId(id)));
    let entry = by_id.or_else(|| directory.templates().into_iter().find(|template| template.name == id));
    match entry {
        Some(entry) if !policy.allows(Subject::Template, &entry.name) => {
            Err(Answer::error(format!("The template {} was withdrawn by an administrator.", entry.name)))
        }
        Some(entry) if !entry.archived => Ok(entry),
        _ => Err(Answer::error(format!("template_id: there is no template {id:?}; list_templates shows what there is."))),
    }
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let entry = find(call, &input.template_id).await?;
    Ok(Answer::ok(&Output {
        template_id: entry.id,
        name: entry.name,
        description: entry.description,
        provisioner: entry.provisioner.to_string(),
        workspaces: entry.uses,
    }))
}
