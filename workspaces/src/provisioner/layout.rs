//! A workspace's directory: what is visible inside, and what is the provisioner's own.

use super::ProvisionError;
use docket_domain::ids::WorkspaceId;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The places in it.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path, workspace: WorkspaceId) -> Result<Self, ProvisionError> {
        let root = std::path::absolute(root).map_err(failed)?;
        // Confinement is to real places, whatever links lead to them.
        let root = root.canonicalize().unwrap_or(root);
        Ok(Self { dir: root.join(workspace.to_string()) })
    }

    /// All of it.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The workspace's directory and its HOME.
    pub(super) fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// The daemon's state; commands do not see it.
    pub(super) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// For temporary files.
    pub(super) fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// The provisioner's own; nothing inside sees it.
    pub(super) fn control(&self) -> PathBuf {
        self.dir.join("control")
    }

    /// What the daemon logs.
    pub(super) fn log(&self) -> PathBuf {
        self.control().join("daemon.log")
    }

    pub(super) fn make(&self) -> Result<(), ProvisionError> {
        for dir in [self.home(), self.state(), self.tmp(), self.control()] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        }
        Ok(())
    }

    /// Where the daemon looks for it; it deletes the file when it is enrolled.
    pub(super) fn write_token(&self, token: &str) -> Result<(), ProvisionError> {
        write_private(&self.state().join("token"), token.as_bytes()).map_err(failed)
    }
}

/// Replaces a file that only this user can read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temp, path)
}

fn failed(error: io::Error) -> ProvisionError {
    ProvisionError::Io("the workspace's directory", error)
}
