//! Open files: each reader of a stream has one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Nobody wants more than this of one process; and what it starts inherits its limit, and may go through all numbers up to it.
const MOST: u64 = 65_536;
/// The log, the views, the hub and the first workspaces take so many where the limit is low.
const OWN: u64 = 128;

/// Lets this process have as many open files as it may, and says how many of them may be clients' connections: seven of eight,
/// or half where they are few. The others are for databases, model providers and workspaces.
pub(crate) fn connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(MOST, |maximum| maximum.min(MOST));
    let mut files = current.unwrap_or(MOST);
    if files < wanted {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
            Ok(()) => files = wanted,
            Err(error) => tracing::warn!(%error, files, "the number of open files could not be raised"),
        }
    }
    let connections = files - (files / 8).max(OWN.min(files / 2));
    tracing::debug!(files, connections, "open files");
    usize::try_from(connections).unwrap_or(usize::MAX)
}
