//! The variables of a command.

use crate::{refusal::Refusal, settings::PREFIX};
use docket_wire::limits::{ENV_BYTES, ENV_COUNT};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

/// Nobody sits at a terminal: no colours, no pagers, no editors, no questions.
const FIXED: [(&str, &str); 11] = [
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("MANPAGER", "cat"),
    ("SYSTEMD_PAGER", "cat"),
    ("EDITOR", "true"),
    ("VISUAL", "true"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
];

/// What every command gets: the daemon's variables without the daemon's own settings, and the fixed ones.
#[derive(Clone, Debug)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// From the variables of the daemon itself.
    pub fn new(daemon: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let own = |name: &OsStr| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let mut all: BTreeMap<_, _> = daemon.filter(|(name, _)| !own(name)).collect();
        all.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        Self(all)
    }

    /// With those of a request.
    pub fn with(&self, extra: &BTreeMap<String, String>) -> BTreeMap<OsString, OsString> {
        let mut all = self.0.clone();
        all.extend(extra.iter().map(|(name, value)| (name.into(), value.into())));
        all
    }
}

/// Whether the variables of a request can be set.
pub fn check(extra: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let bytes: usize = extra.iter().map(|(name, value)| name.len() + value.len()).sum();
    if extra.len() > ENV_COUNT || bytes > ENV_BYTES {
        let message = format!("at most {ENV_COUNT} variables of together {ENV_BYTES} bytes can be set");
        return Err(Refusal::with(413, "environment_too_large", message));
    }
    let bad = |name: &str, value: &str| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    match extra.iter().find(|(name, value)| bad(name, value)) {
        Some((name, _)) => Err(Refusal::invalid("invalid_environment", format!("the variable {name:?} cannot be set"))),
        None => Ok(()),
    }
}
