//! Workspaces, and the newest lines of their builds.

mod document;
mod projection;
mod read;

pub use document::{BuildLogLine, WorkspaceDocument};
pub use projection::{MAX_LOG_LINES, Workspaces};
pub use read::{MAX_WORKSPACES, WorkspacePage, WorkspaceQuery, WorkspaceReads};
