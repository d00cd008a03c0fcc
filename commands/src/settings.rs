//! What an administrator may set for a process of the control plane.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    /// How workspaces reach this control plane.
    pub url: String,
    /// How long a build of a workspace may take, until its daemon is connected.
    pub build_timeout: Duration,
    /// How long a tool call waits for a daemon that is alive but not connected; the outcome of one that was sent is unknown after.
    pub reattach_timeout: Duration,
}

impl Settings {
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, build_timeout: Duration::from_secs(600), reattach_timeout: Duration::from_secs(60) }
    }
}
