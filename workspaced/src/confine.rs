//! Confinement by Landlock: what is not named here can be neither read nor written, whatever the user's permissions; no
//! process outside can be signalled, traced, or looked into.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The newest that is asked for. A kernel that has less enforces what it has.
const NEWEST: ABI = ABI::V6;

/// What the superuser keeps. Others would let it look into processes outside in spite of Landlock.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE);

const PROGRAMS: [&str; 14] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/snap",
    "/run/current-system",
    "/run/systemd/resolve",
    "/run/resolvconf",
];
const KERNEL: [&str; 2] = ["/proc", "/sys"];
const DEVICES: [&str; 8] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];

/// What stays reachable, beyond the system's programs, `/proc`, `/sys` and harmless devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Read and run.
    pub read: Vec<PathBuf>,
    /// Read, run and write.
    pub write: Vec<PathBuf>,
}

/// Why nothing is confined.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel cannot.
    #[error("this kernel does not enforce Landlock, so the daemon cannot be confined")]
    NotEnforced,
    /// A directory that must be reachable is not there.
    #[error("{0} cannot be opened, so nothing can be confined to it")]
    Missing(PathBuf),
    /// The superuser's powers cannot be given up.
    #[error("capabilities cannot be dropped: {0}")]
    Capabilities(#[from] rustix::io::Errno),
    /// The rules were refused.
    #[error(transparent)]
    Rules(#[from] RulesetError),
}

impl Confinement {
    /// Confines this thread, and all that it starts from now on, for good. The answer says what is in force.
    pub fn enforce(&self) -> Result<String, ConfineError> {
        let all = AccessFs::from_all(NEWEST);
        let devices = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rules(path_beneath_rules(PROGRAMS, AccessFs::from_read(NEWEST)))?
            .add_rules(path_beneath_rules(KERNEL, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(DEVICES, devices))?
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(NEWEST)))?;
        for path in &self.write {
            rules = writable(rules, path, all)?;
        }
        let status = rules.restrict_self()?;
        drop_capabilities()?;
        let abi = match status.landlock {
            LandlockStatus::Available { effective_abi, .. } => format!("{effective_abi:?}"),
            _ => "?".to_owned(),
        };
        match status.ruleset {
            RulesetStatus::NotEnforced => Err(ConfineError::NotEnforced),
            RulesetStatus::PartiallyEnforced => Ok(format!("landlock ABI {abi}, partial")),
            RulesetStatus::FullyEnforced => Ok(format!("landlock ABI {abi}")),
        }
    }
}

/// A program that is run later does not get back what is dropped here: restricting itself has ruled that out.
fn drop_capabilities() -> Result<(), rustix::io::Errno> {
    let now = capabilities(None)?;
    let sets = CapabilitySets {
        effective: now.effective & KEPT,
        permitted: now.permitted & KEPT,
        inheritable: now.inheritable & KEPT,
    };
    if sets != now { set_capabilities(None, sets) } else { Ok(()) }
}

fn writable(rules: RulesetCreated, path: &Path, all: BitFlags<AccessFs>) -> Result<RulesetCreated, ConfineError> {
    let fd = PathFd::new(path).map_err(|_| ConfineError::Missing(path.to_owned()))?;
    Ok(rules.add_rule(PathBeneath::new(fd, all))?)
}
