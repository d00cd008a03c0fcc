//! What the hub asks of whoever keeps the workspaces.

use async_trait::async_trait;
use docket_domain::ids::WorkspaceId;

/// How a daemon's traffic reaches the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// Through the relay on the control plane's own port.
    Relay,
    /// From machine to machine.
    Direct,
}

/// Why a daemon is not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No workspace has this token.
    #[error("the token is not known, or was used by another daemon")]
    UnknownToken,
    /// The workspace was deleted.
    #[error("the workspace was deleted")]
    Deleted,
    /// It cannot be told now.
    #[error("enrolment is not possible at the moment")]
    Unavailable,
}

/// Which keys belong to which workspaces, and the record of connections.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Uses a one-time token for a key. A repeat with the same token and key succeeds again; another key does not.
    async fn enrol(&self, token: &str, public_key: &str) -> Result<WorkspaceId, Refused>;

    /// The workspace of an enrolled key. `None` once the workspace is deleted.
    async fn workspace_of(&self, public_key: &str) -> Option<WorkspaceId>;

    /// Whether the key belonged to a workspace that was deleted: then its daemon is told to end.
    async fn was_deleted(&self, _public_key: &str) -> bool {
        false
    }

    /// A daemon is connected. Also called when one connection took another's place.
    async fn connected(&self, workspace: WorkspaceId, path: PathKind);

    /// A daemon is not connected any more, or out of reach.
    async fn disconnected(&self, workspace: WorkspaceId, reason: &str);

    /// Two daemons with one key were connected at one time: the workspace was copied. The newer one is used.
    async fn duplicated(&self, _workspace: WorkspaceId) {}
}
