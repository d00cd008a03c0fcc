//! What the daemon is told at its start. Nothing secret: a command line can be read by others.

use std::{path::PathBuf, time::Duration};

/// Variables that begin so are the daemon's own, and no command gets them.
pub const PREFIX: &str = "DOCKET_WORKSPACED_";
/// The one-time token, where it is not in a file.
pub const TOKEN_VARIABLE: &str = "DOCKET_WORKSPACED_TOKEN";

/// Flags and variables of `run` and `keep`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// The control plane, for example https://docket.example.org. The daemon dials nothing else.
    #[arg(long, env = "DOCKET_WORKSPACED_URL", value_parser = url)]
    pub url: String,
    /// The workspace's directory. Requests reach nothing outside it.
    #[arg(long, env = "DOCKET_WORKSPACED_DIR")]
    pub dir: PathBuf,
    /// The daemon's own directory: its key, its records. Outside the workspace's directory.
    #[arg(long, env = "DOCKET_WORKSPACED_STATE")]
    pub state: PathBuf,
    /// A file with the one-time token; deleted once the daemon is enrolled. Or set DOCKET_WORKSPACED_TOKEN.
    #[arg(long, env = "DOCKET_WORKSPACED_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Confine the daemon and all commands with Landlock; do not start if that is impossible.
    #[arg(long, env = "DOCKET_WORKSPACED_CONFINE")]
    pub confine: bool,
    /// With --confine: also readable. May be given more than once.
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<PathBuf>,
    /// With --confine: also writable. May be given more than once.
    #[arg(long, value_name = "PATH")]
    pub allow_write: Vec<PathBuf>,
    /// End after the control plane was out of reach for this many seconds. Never, if not given.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "DOCKET_WORKSPACED_EXIT_AFTER")]
    pub exit_after: Option<Duration>,
    /// End when the parent process does.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

fn url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must begin with http:// or https:// and name a host".to_owned());
    }
    // The relay's path is fixed, at the root.
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("must have no path: the control plane is at the root of its host".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|error: std::num::ParseIntError| error.to_string())
}
