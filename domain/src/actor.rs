//! Who did something.

use crate::ids::{UserId, WorkerId, WorkspaceId};
use serde::{Deserialize, Serialize};

/// The one whose hand appended an event. On whose behalf it was done stands beside it in the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// A person, over the API.
    User(UserId),
    /// A process of the control plane that runs the agent loop.
    Worker(WorkerId),
    /// The daemon of a workspace.
    Workspace(WorkspaceId),
    /// Docket itself: start-up, migration, maintenance.
    System,
}
