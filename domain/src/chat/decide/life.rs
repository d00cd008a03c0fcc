//! Creation, titles, labels, pins, archive, workspace.

use super::{Decision, prompt};
use crate::{
    aggregate::Context,
    chat::{
        command::Prompt,
        event::ChatEvent,
        limits::{MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS, MAX_TITLE},
        refusal::ChatRefusal,
        state::Chat,
    },
    ids::{UserId, WorkspaceId},
    model_name::ModelName,
};
use std::collections::BTreeMap;

impl Chat {
    #[expect(clippy::too_many_arguments, reason = "the fields of one command")]
    pub(super) fn create(
        &self,
        owner: UserId,
        title: Option<String>,
        model: Option<ModelName>,
        workspace_id: Option<WorkspaceId>,
        labels: BTreeMap<String, String>,
        prompt: Option<Prompt>,
        context: &Context,
    ) -> Decision {
        if self.exists() {
            return Err(ChatRefusal::ChatExists);
        }
        let title = title.map(valid_title).transpose()?;
        check_labels(&labels)?;
        let mut events = vec![ChatEvent::Created { owner, title, model, workspace_id, labels }];
        if let Some(prompt) = prompt {
            prompt::check(&prompt.content)?;
            events.extend(prompt::begin_turn(prompt, context));
        }
        Ok(events)
    }

    pub(super) fn set_title(&self, title: String) -> Decision {
        let title = valid_title(title)?;
        Ok(if self.title.as_ref() == Some(&title) { vec![] } else { vec![ChatEvent::Titled { title }] })
    }

    pub(super) fn set_labels(&self, labels: BTreeMap<String, String>) -> Decision {
        check_labels(&labels)?;
        Ok(if self.labels == labels { vec![] } else { vec![ChatEvent::Labelled { labels }] })
    }

    pub(super) fn set_pinned(&self, pinned: bool) -> Decision {
        Ok(match (self.pinned, pinned) {
            (false, true) => vec![ChatEvent::Pinned],
            (true, false) => vec![ChatEvent::Unpinned],
            _ => vec![],
        })
    }

    pub(super) fn set_archived(&self, archived: bool) -> Decision {
        match (self.archived, archived) {
            (false, true) if self.turn.is_some() => Err(ChatRefusal::ChatBusy),
            (false, true) => Ok(vec![ChatEvent::Archived]),
            (true, false) => Ok(vec![ChatEvent::Unarchived]),
            _ => Ok(vec![]),
        }
    }

    pub(super) fn attach_workspace(&self, workspace_id: WorkspaceId) -> Decision {
        match self.workspace_id {
            Some(attached) if attached == workspace_id => Ok(vec![]),
            Some(_) => Err(ChatRefusal::WorkspaceAttached),
            None => Ok(vec![ChatEvent::WorkspaceAttached { workspace_id }]),
        }
    }

    pub(super) fn detach_workspace(&self) -> Decision {
        let workspace_id = self.workspace_id.ok_or(ChatRefusal::NoWorkspace)?;
        Ok(vec![ChatEvent::WorkspaceDetached { workspace_id }])
    }
}

fn valid_title(title: String) -> Result<String, ChatRefusal> {
    let title = title.trim().to_owned();
    if title.is_empty() || title.chars().count() > MAX_TITLE || title.contains(char::is_control) {
        return Err(ChatRefusal::TitleInvalid { max: MAX_TITLE });
    }
    Ok(title)
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), ChatRefusal> {
    let refuse = |reason: String| Err(ChatRefusal::LabelsInvalid { reason });
    if labels.len() > MAX_LABELS {
        return refuse(format!("at most {MAX_LABELS}; these are {}", labels.len()));
    }
    for (name, value) in labels {
        if name.trim().is_empty() || name.chars().count() > MAX_LABEL_NAME || name.contains(char::is_control) {
            return refuse(format!("a name has 1 to {MAX_LABEL_NAME} characters and no control characters"));
        }
        if value.chars().count() > MAX_LABEL_VALUE {
            return refuse(format!("the value of {name:?} has more than {MAX_LABEL_VALUE} characters"));
        }
    }
    Ok(())
}
