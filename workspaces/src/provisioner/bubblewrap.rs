//! Confinement by bubblewrap: a process and file system view of the workspace's own.

use super::{ProvisionerConfig, layout::Layout, program};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

const PROBE: Duration = Duration::from_secs(10);

/// The program, if it is there and allowed to do its work.
pub(super) async fn probe() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join("bwrap")).find(|program| program.is_file());
    let program = found.ok_or("bubblewrap is not installed")?;
    let mut command = tokio::process::Command::new(&program);
    command.args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--unshare-ipc", "true"]);
    command.env_clear().env("PATH", path).stdin(Stdio::null()).kill_on_drop(true);
    let tried = tokio::time::timeout(PROBE, command.output()).await;
    match tried {
        Ok(Ok(output)) if output.status.success() => Ok(program),
        Ok(Ok(output)) => Err(format!("bubblewrap does not work: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Ok(Err(error)) => Err(format!("bubblewrap does not work: {error}")),
        Err(_) => Err("bubblewrap does not answer".to_owned()),
    }
}

/// Its arguments; the program to run follows them.
pub(super) fn arguments(config: &ProvisionerConfig, layout: &Layout) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let mut add = |words: &[&dyn AsRef<std::ffi::OsStr>]| all.extend(words.iter().map(|word| word.as_ref().to_owned()));
    add(&[&"--unshare-pid", &"--unshare-ipc", &"--cap-drop", &"ALL"]);
    add(&[&"--ro-bind", &"/", &"/", &"--dev", &"/dev", &"--proc", &"/proc"]);
    // Sockets of the machine's services are here; only the name service's files are wanted.
    add(&[&"--tmpfs", &"/run"]);
    for path in ["/run/systemd/resolve", "/run/resolvconf", "/run/current-system"] {
        add(&[&"--ro-bind-try", &path, &path]);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_dir() && home != Path::new("/"));
    let root = layout.dir().parent().map(Path::to_owned);
    for hidden in config.hide.iter().cloned().chain(home).chain(root) {
        let Ok(hidden) = hidden.canonicalize() else { continue };
        if hidden.is_dir() {
            add(&[&"--tmpfs", &hidden]);
        } else {
            add(&[&"--ro-bind", &"/dev/null", &hidden]);
        }
    }
    // Only for hiding what is there, where the workspace lies below: what is writable must not contain the daemon's state.
    if layout.dir().starts_with("/tmp") {
        add(&[&"--tmpfs", &"/tmp"]);
    } else {
        add(&[&"--bind", &layout.tmp(), &"/tmp"]);
    }
    for path in program::toolchains() {
        add(&[&"--ro-bind", &path, &path]);
    }
    for path in [layout.home(), layout.state(), layout.tmp()] {
        add(&[&"--bind", &path, &path]);
    }
    if let Ok(daemon) = config.daemon.canonicalize() {
        add(&[&"--ro-bind", &daemon, &daemon]);
    }
    add(&[&"--chdir", &layout.home(), &"--"]);
    all
}
