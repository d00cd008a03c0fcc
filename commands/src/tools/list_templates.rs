use super::{Answer, Call};
use docket_domain::{ids::TemplateId, policy::Subject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) const DESCRIPTION: &str = "Lists the templates that workspaces can be made from, the most used first; 10 a page.";

const PAGE: usize = 10;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Only templates whose name or description contains this.
    query: Option<String>,
    /// Counted from 1.
    page: Option<usize>,
}

#[derive(Serialize)]
struct Output {
    templates: Vec<Listed>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    recommended_template_id: Option<TemplateId>,
    next_step: &'static str,
}

#[derive(Serialize)]
struct Listed {
    template_id: TemplateId,
    name: String,
    description: String,
    workspaces: u64,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let policy = call.control.current_policy().await;
    let policy = policy.map_err(|error| Answer::error(format!("The policy could not be read: {error}")))?;
    let query = input.query.unwrap_or_default().to_lowercase();
    let mut templates = call.control.directory.templates();
    templates.retain(|template| {
        let text = format!("{}\n{}", template.name, template.description).to_lowercase();
        !template.archived && policy.allows(Subject::Template, &template.name) && text.contains(&query)
    });
    let total = templates.len();
    let page = templates.into_iter().skip(input.page.unwrap_or(1).saturating_sub(1).saturating_mul(PAGE)).take(PAGE);
    let templates: Vec<_> = page
        .map(|template| Listed {
            template_id: template.id,
            name: template.name,
            description: template.description,
            workspaces: template.uses,
        })
        .collect();
    let next_step = if templates.is_empty() {
        "There is no such template. Try without a query, or tell the person that an administrator has to add one."
    } else {
        "Call create_workspace with a template_id, or read_template to learn more."
    };
    let recommended_template_id = templates.first().map(|template| template.template_id);
    Ok(Answer::ok(&Output { templates, total, recommended_template_id, next_step }))
}
