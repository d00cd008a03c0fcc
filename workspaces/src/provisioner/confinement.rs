//! What confines workspaces on this machine.

use super::{ProvisionError, ProvisionerConfig, bubblewrap};
use std::{fmt, path::PathBuf, process::Stdio, time::Duration};

const PROBE: Duration = Duration::from_secs(10);
/// What the daemon's own confinement leaves readable: a hidden path in one of these needs more.
const READABLE: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/etc", "/opt", "/nix"];

/// What works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Confinement {
    /// The `bwrap` program.
    pub(super) bubblewrap: Option<PathBuf>,
    /// In the daemon's own words.
    pub(super) landlock: Option<String>,
}

impl Confinement {
    /// Tries what is wanted.
    pub(super) async fn find(config: &ProvisionerConfig, bubblewrap: bool, landlock: bool) -> Result<Self, ProvisionError> {
        let mut why = Vec::new();
        let bubblewrap = match if bubblewrap { bubblewrap::probe().await } else { Err("bubblewrap is switched off".to_owned()) }
        {
            Ok(program) => Some(program),
            Err(reason) => {
                why.push(reason);
                None
            }
        };
        let landlock = match if landlock { probe(config).await } else { Err("Landlock is switched off".to_owned()) } {
            Ok(words) => Some(words),
            Err(reason) => {
                why.push(reason);
                None
            }
        };
        let exposed = config.hide.iter().find(|path| READABLE.iter().any(|readable| path.starts_with(readable)));
        if let (None, Some(exposed)) = (&bubblewrap, exposed) {
            why.push(format!("{} is in a directory that stays readable", exposed.display()));
        }
        let confined = bubblewrap.is_some() || (landlock.is_some() && exposed.is_none());
        if !confined && !config.allow_unconfined {
            return Err(ProvisionError::Unconfined(why.join("; ")));
        }
        Ok(Self { bubblewrap, landlock })
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.bubblewrap, &self.landlock) {
            (Some(_), Some(landlock)) => write!(f, "bubblewrap, {landlock}"),
            (Some(_), None) => f.write_str("bubblewrap"),
            (None, Some(landlock)) => f.write_str(landlock),
            (None, None) => f.write_str("none: this workspace can read all that the control plane's user can"),
        }
    }
}

/// Asks the daemon's program what it could enforce.
async fn probe(config: &ProvisionerConfig) -> Result<String, String> {
    let mut command = tokio::process::Command::new(&config.daemon);
    command.arg("probe").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PROBE, command.output()).await.map_err(|_| "the daemon did not answer".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
