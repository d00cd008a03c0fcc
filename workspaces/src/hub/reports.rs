//! Telling the registry of connections, one after the other, in the order in which they came and went.

use crate::registry::{PathKind, Registry};
use docket_domain::ids::WorkspaceId;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// What the registry is told.
#[derive(Clone, Debug)]
pub(super) enum Report {
    Connected(WorkspaceId, PathKind),
    Disconnected(WorkspaceId, String),
    Duplicated(WorkspaceId),
}

pub(super) type Reports = mpsc::UnboundedSender<Report>;

/// Reports wait while the registry is busy. There are no more of them than connections made and lost.
pub(super) fn start(registry: Arc<dyn Registry>, tasks: &TaskTracker) -> Reports {
    let (sender, mut reports) = mpsc::unbounded_channel();
    tasks.spawn(async move {
        while let Some(report) = reports.recv().await {
            match report {
                Report::Connected(workspace, path) => registry.connected(workspace, path).await,
                Report::Disconnected(workspace, reason) => registry.disconnected(workspace, &reason).await,
                Report::Duplicated(workspace) => registry.duplicated(workspace).await,
            }
        }
    });
    sender
}
