use super::{Answer, Call, read_template::find};
use docket_domain::{
    chat::ChatCommand,
    ids::{UserId, WorkspaceId},
    workspace::{Transition, WorkspaceCommand, WorkspaceStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const DESCRIPTION: &str = "Makes a workspace from a template, waits until it is ready and attaches it to this chat. \
A chat has one workspace: called again, it answers with the one that is there.";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_templates shows it.
    template_id: String,
    /// Lower-case letters, digits and hyphens, beginning with a letter. Chosen for you if left out.
    name: Option<String>,
}

#[derive(Serialize)]
struct Output {
    created: bool,
    workspace_id: WorkspaceId,
    workspace_name: String,
    /// Where relative paths begin.
    directory: String,
    already_exists: bool,
}

pub(super) async fn run(call: &Call, input: Input) -> Result<Answer, Answer> {
    let control = &call.control;
    let fault = |error: &dyn std::fmt::Display| Answer::error(format!("The workspace was not made: {error}"));
    let state = control.chats.read(call.chat.0, |chat, _| (chat.owner, chat.workspace_id)).await;
    let (owner, attached) = state.map_err(|error| fault(&error))?;
    let own = WorkspaceId::derive(call.id.0, "workspace");
    // Ours already: this very call was cut off after the attachment. It goes on.
    let kept = match attached {
        Some(id) if id != own => {
            let status = control.workspaces.read(id.0, |workspace, _| workspace.status).await;
            let deleted = status.map_err(|error| fault(&error))? == WorkspaceStatus::Deleted;
            if deleted {
                let command = ChatCommand::DetachWorkspace;
                control.chat(call.chat, call.metadata.clone(), command, vec![]).await.map_err(|error| fault(&error))?;
            }
            (!deleted).then_some(id)
        }
        _ => None,
    };
    let id = match kept {
        Some(id) => id,
        None => create(call, own, input, owner.unwrap_or(UserId::SYSTEM)).await?,
    };
    let running = control.workspaces.read(id.0, |workspace, _| workspace.status == WorkspaceStatus::Running).await;
    if !running.map_err(|error| fault(&error))? {
        control.build(id, Transition::Start, call.metadata.clone()).await.map_err(|error| fault(&error))?;
    }
    let described = control.workspaces.read(id.0, |workspace, _| (workspace.name.clone(), workspace.directory.clone()));
    let (workspace_name, directory) = described.await.map_err(|error| fault(&error))?;
    Ok(Answer::ok(&Output {
        created: kept.is_none(),
        workspace_id: id,
        workspace_name,
        directory: directory.unwrap_or_default(),
        already_exists: kept.is_some(),
    }))
}

async fn create(call: &Call, id: WorkspaceId, input: Input, owner: UserId) -> Result<WorkspaceId, Answer> {
    let control = &call.control;
    let template = find(call, &input.template_id).await?;
    let name = input.name.unwrap_or_else(|| format!("{}-{}", template.name, &id.0.simple().to_string()[..8]));
    let command = WorkspaceCommand::Create {
        name,
        owner,
        template_id: template.id,
        chat_id: Some(call.chat),
        parameters: BTreeMap::new(),
    };
    match control.workspace(id, call.metadata.clone().correlated(call.chat.0), command).await {
        Ok(_) => {}
        Err(error) if error.refusal() == Some("workspace_exists") => {}
        Err(error) => return Err(Answer::error(format!("The workspace was not made: {error}"))),
    }
    let command = ChatCommand::AttachWorkspace { workspace_id: id };
    let attached = control.chat(call.chat, call.metadata.clone(), command, vec![]).await;
    attached.map_err(|error| Answer::error(format!("The workspace was not attached: {error}")))?;
    Ok(id)
}
