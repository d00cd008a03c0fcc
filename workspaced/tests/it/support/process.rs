//! The real daemon, as a process.

use super::Plane;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

/// The daemon's program.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_docket-workspaced"))
}

pub(crate) struct DaemonProcess {
    child: Child,
    url: String,
    pub(crate) temp: Arc<TempDir>,
}

impl DaemonProcess {
    /// Not enrolled yet, with a token.
    pub(crate) fn start(plane: &Plane, token: &str) -> Self {
        let temp = Arc::new(tempfile::tempdir().unwrap());
        fs::create_dir_all(temp.path().join("ws")).unwrap();
        fs::create_dir_all(temp.path().join("state")).unwrap();
        fs::write(temp.path().join("state/token"), token).unwrap();
        Self { child: spawn(&plane.url(), temp.path()), url: plane.url(), temp }
    }

    /// Another process on a copy of this one's state.
    pub(crate) fn copy(&self) -> Self {
        let temp = Arc::new(tempfile::tempdir().unwrap());
        fs::create_dir_all(temp.path().join("state")).unwrap();
        fs::copy(self.state().join("key"), temp.path().join("state/key")).unwrap();
        Self { child: spawn(&self.url, temp.path()), url: self.url.clone(), temp }
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.url, self.temp.path());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.temp.path().join("ws")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.temp.path().join("log")).unwrap()
    }
}

impl Drop for DaemonProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

fn spawn(url: &str, dir: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    Command::new(binary())
        .args(["run", "--url", url, "--dir"])
        .arg(dir.join("ws"))
        .arg("--state")
        .arg(dir.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
