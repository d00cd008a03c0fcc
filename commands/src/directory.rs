//! What the process managers have to find by something else than its id: chats with an open turn, workspaces by their daemon's
//! key, templates by popularity. A fold of a few event types, kept in memory, with a bookmark so that a start reads little.

use docket_domain::{
    ids::{ChatId, TemplateId, UserId, WorkspaceId},
    template::{Provisioner, TemplateEvent},
    workspace::{Transition, WorkspaceEvent},
};
use docket_eventlog::{Filter, Log, ReadError, Recorded};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const BOOKMARK: &str = "directory.v1";
/// A bookmark is saved when this many positions have passed.
const SAVE_EVERY: u64 = 50_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateEntry {
    pub id: TemplateId,
    pub name: String,
    pub description: String,
    pub provisioner: Provisioner,
    pub archived: bool,
    /// Workspaces that were made from it.
    pub uses: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceEntry {
    pub owner: UserId,
    pub template_id: TemplateId,
    pub public_key: Option<String>,
    /// The build that was under way.
    pub building: Option<Transition>,
    pub deleted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entries {
    open_turns: BTreeSet<ChatId>,
    templates: BTreeMap<TemplateId, TemplateEntry>,
    workspaces: BTreeMap<WorkspaceId, WorkspaceEntry>,
    keys: BTreeMap<String, WorkspaceId>,
    /// Keys of deleted workspaces: their daemons, should they come back, are told to end.
    deleted_keys: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Directory {
    entries: Mutex<Entries>,
    position: watch::Sender<u64>,
}

const TYPES: [&str; 15] = [
    "chat.turn_requested",
    "chat.turn_completed",
    "chat.turn_interrupted",
    "chat.turn_failed",
    "template.created",
    "template.described",
    "template.archived",
    "template.unarchived",
    "workspace.created",
    "workspace.build_started",
    "workspace.build_failed",
    "workspace.daemon_enrolled",
    "workspace.started",
    "workspace.stopped",
    "workspace.deleted",
];

fn filter() -> Filter {
    Filter::all().types(TYPES)
}

impl Directory {
    /// Reads the bookmark, and the log from there to its head.
    pub(crate) async fn open(log: &Log) -> Result<Self, ReadError> {
        let bookmark = log.load_bookmark(BOOKMARK).await?;
        let (mut position, mut entries) = bookmark
            .and_then(|bookmark| Some((bookmark.position, serde_json::from_slice(&bookmark.state).ok()?)))
            .unwrap_or_default();
        let head = log.head().await?;
        while position < head {
            let page = log.read_all(position, &filter(), 5_000).await?;
            page.events.iter().for_each(|event| apply(&mut entries, event));
            position = page.through;
        }
        Ok(Self { entries: Mutex::new(entries), position: watch::Sender::new(position) })
    }

    pub(crate) async fn follow(self: std::sync::Arc<Self>, log: Log, shutdown: CancellationToken) {
        let mut saved = *self.position.borrow();
        let mut subscription = log.subscribe(saved, filter());
        loop {
            let batch = tokio::select! {
                () = shutdown.cancelled() => return,
                batch = subscription.next() => batch,
            };
            match batch {
                Ok(batch) => {
                    {
                        let mut entries = self.entries();
                        batch.events.iter().for_each(|event| apply(&mut entries, event));
                    }
                    self.position.send_replace(batch.through);
                    if batch.through >= saved + SAVE_EVERY {
                        saved = batch.through;
                        if let Err(error) = self.save(&log).await {
                            tracing::warn!(%error, "the directory's bookmark was not saved");
                        }
                    }
                }
                Err(ReadError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the directory cannot read the log; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    pub(crate) async fn save(&self, log: &Log) -> Result<(), ReadError> {
        let (position, state) = {
            let entries = self.entries();
            (*self.position.borrow(), serde_json::to_vec(&*entries).unwrap_or_default())
        };
        log.save_bookmark(BOOKMARK, position, state).await
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything up to `position` is in.
    pub async fn reached(&self, position: u64) {
        // The sender lives as long as `self`, so there is nothing to fail.
        let _ = self.position.subscribe().wait_for(|reached| *reached >= position).await;
    }

    #[must_use]
    pub fn open_turns(&self) -> Vec<ChatId> {
        self.entries().open_turns.iter().copied().collect()
    }

    /// The most used first.
    #[must_use]
    pub fn templates(&self) -> Vec<TemplateEntry> {
        let mut all: Vec<_> = self.entries().templates.values().cloned().collect();
        all.sort_by(|a, b| b.uses.cmp(&a.uses).then_with(|| a.name.cmp(&b.name)));
        all
    }

    #[must_use]
    pub fn template(&self, id: TemplateId) -> Option<TemplateEntry> {
        self.entries().templates.get(&id).cloned()
    }

    #[must_use]
    pub fn workspace(&self, id: WorkspaceId) -> Option<WorkspaceEntry> {
        self.entries().workspaces.get(&id).cloned()
    }

    #[must_use]
    pub fn workspace_of_key(&self, public_key: &str) -> Option<WorkspaceId> {
        self.entries().keys.get(public_key).copied()
    }

    #[must_use]
    pub fn was_deleted(&self, public_key: &str) -> bool {
        self.entries().deleted_keys.contains(public_key)
    }

    /// Workspaces whose last build has not ended.
    #[must_use]
    pub fn open_builds(&self) -> Vec<(WorkspaceId, Transition)> {
        let entries = self.entries();
        entries.workspaces.iter().filter_map(|(id, entry)| Some((*id, entry.building?))).collect()
    }
}

fn apply(entries: &mut Entries, event: &Recorded) {
    let id = event.stream.aggregate_id.parse().unwrap_or_default();
    match &*event.stream.aggregate_type {
        "chat" => match &*event.event_type {
            "chat.turn_requested" => drop(entries.open_turns.insert(ChatId(id))),
            _ => drop(entries.open_turns.remove(&ChatId(id))),
        },
        "template" => match event.decode() {
            Ok(decoded) => apply_template(entries, TemplateId(id), decoded),
            Err(error) => tracing::error!(%error, position = event.position, "an event cannot be decoded"),
        },
        "workspace" => match event.decode() {
            Ok(decoded) => apply_workspace(entries, WorkspaceId(id), decoded),
            Err(error) => tracing::error!(%error, position = event.position, "an event cannot be decoded"),
        },
        _ => {}
    }
}

fn apply_template(entries: &mut Entries, id: TemplateId, event: TemplateEvent) {
    match event {
        TemplateEvent::Created { name, description, provisioner } => {
            let entry = TemplateEntry { id, name, description, provisioner, archived: false, uses: 0 };
            entries.templates.insert(id, entry);
        }
        TemplateEvent::Described { description } => {
            entries.templates.entry(id).and_modify(|entry| entry.description = description);
        }
        TemplateEvent::Archived => drop(entries.templates.entry(id).and_modify(|entry| entry.archived = true)),
        TemplateEvent::Unarchived => drop(entries.templates.entry(id).and_modify(|entry| entry.archived = false)),
    }
}

fn apply_workspace(entries: &mut Entries, id: WorkspaceId, event: WorkspaceEvent) {
    if let WorkspaceEvent::Created { owner, template_id, .. } = event {
        entries.templates.entry(template_id).and_modify(|template| template.uses += 1);
        let entry = WorkspaceEntry { owner, template_id, public_key: None, building: None, deleted: false };
        entries.workspaces.insert(id, entry);
        return;
    }
    let Some(entry) = entries.workspaces.get_mut(&id) else { return };
    match event {
        WorkspaceEvent::BuildStarted { transition, .. } => entry.building = Some(transition),
        WorkspaceEvent::BuildFailed { .. } | WorkspaceEvent::Started { .. } | WorkspaceEvent::Stopped { .. } => {
            entry.building = None;
        }
        WorkspaceEvent::DaemonEnrolled { public_key } => {
            entries.keys.insert(public_key.clone(), id);
            entry.public_key = Some(public_key);
        }
        WorkspaceEvent::Deleted { .. } => {
            entry.building = None;
            entry.deleted = true;
            if let Some(key) = entry.public_key.take() {
                entries.keys.remove(&key);
                entries.deleted_keys.insert(key);
            }
        }
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::BuildLogged { .. }
        | WorkspaceEvent::EnrolmentIssued { .. }
        | WorkspaceEvent::DaemonConnected { .. }
        | WorkspaceEvent::DaemonDisconnected { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docket_domain::{VariantNames, chat::ChatEvent};

    #[test]
    fn every_type_that_is_followed_exists() {
        let known = [ChatEvent::VARIANTS, TemplateEvent::VARIANTS, WorkspaceEvent::VARIANTS].concat();
        for name in TYPES {
            assert!(known.contains(&name), "{name} is no event's type");
        }
    }
}
