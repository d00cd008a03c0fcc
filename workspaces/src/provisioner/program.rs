//! The command line and the environment of a workspace's daemon.

use super::{ProvisionError, ProvisionerConfig, bubblewrap, confinement::Confinement, layout::Layout};
use std::{
    ffi::OsString,
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

/// Directories in the user's home that hold programs and no secrets.
const TOOLCHAINS: [&str; 12] = [
    ".cargo/bin",
    ".rustup",
    ".local/bin",
    ".local/share/uv",
    ".local/share/mise",
    ".nvm",
    ".volta",
    ".pyenv",
    ".bun/bin",
    ".deno/bin",
    ".sdkman",
    "go/bin",
];
/// Variables of the control plane that a workspace gets.
const PASSED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "USER"];

/// Toolchains of this user that are there.
pub(super) fn toolchains() -> Vec<PathBuf> {
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return Vec::new() };
    TOOLCHAINS.iter().map(|path| home.join(path)).filter_map(|path| path.canonicalize().ok()).collect()
}

/// A session of its own, nothing inherited but a few variables, nothing secret on the command line.
pub(super) fn command(
    config: &ProvisionerConfig,
    layout: &Layout,
    confinement: &Confinement,
    url: &str,
    exit_after: Duration,
) -> Result<Command, ProvisionError> {
    let daemon = config.daemon.canonicalize().map_err(|error| ProvisionError::Io("the daemon's program", error))?;
    let mut words: Vec<OsString> = Vec::new();
    if let Some(program) = &confinement.bubblewrap {
        words.push(program.into());
        words.extend(bubblewrap::arguments(config, layout));
    }
    words.extend([daemon.into(), "keep".into(), "--url".into(), url.into()]);
    words.extend(["--dir".into(), layout.home().into(), "--state".into(), layout.state().into()]);
    words.extend(["--exit-after".into(), exit_after.as_secs().to_string().into()]);
    if confinement.landlock.is_some() {
        words.push("--confine".into());
        let mut allow = |flag: &str, path: &Path| words.extend([flag.into(), path.into()]);
        toolchains().iter().for_each(|path| allow("--allow-read", path));
        if confinement.bubblewrap.is_some() {
            // The workspace's own there. Where the workspace itself lies below, that would open up too much.
            let shared = ["/tmp", "/dev/shm"].map(Path::new);
            shared.iter().filter(|path| !layout.dir().starts_with(path)).for_each(|path| allow("--allow-write", path));
        }
    }
    let log = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(layout.log());
    let log = log.map_err(|error| ProvisionError::Io("the daemon's log", error))?;
    let mut command = in_own_session(words);
    command.env_clear().envs(environment(layout)).current_dir(layout.home());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(false);
    Ok(command)
}

fn in_own_session(words: Vec<OsString>) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let setsid = std::env::split_paths(&path).map(|dir| dir.join("setsid")).find(|program| program.is_file());
    let mut words = setsid.clone().map(OsString::from).into_iter().chain(words);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    if setsid.is_none() {
        // At least no signal of the terminal's.
        command.process_group(0);
    }
    command
}

fn environment(layout: &Layout) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> =
        PASSED.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect();
    all.push(("HOME".into(), layout.home().into()));
    all.push(("TMPDIR".into(), layout.tmp().into()));
    all.push(("SHELL".into(), "/bin/sh".into()));
    // Its programs look for their toolchains below HOME, which is another one there.
    if let Some(rustup) = toolchains().into_iter().find(|path| path.ends_with(".rustup")) {
        all.push(("RUSTUP_HOME".into(), rustup.into()));
    }
    all
}

/// For messages.
impl From<io::Error> for ProvisionError {
    fn from(error: io::Error) -> Self {
        Self::Io("the workspace", error)
    }
}
