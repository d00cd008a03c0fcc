//! A disk that keeps what was synced, and of everything else whatever it likes.

use super::trace::{Call, Entry};
use rand::{Rng, rngs::SmallRng};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What a drive writes in one piece.
const SECTOR: usize = 512;

#[derive(Debug, Default)]
struct Stored<'a> {
    /// As of the last sync; none for a file that was never synced.
    synced: Option<Vec<u8>>,
    /// What was done to it since.
    pending: Vec<&'a Call>,
}

#[derive(Debug, Default)]
pub struct Disk<'a>(BTreeMap<PathBuf, Stored<'a>>);

/// What becomes of the calls that no sync has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    None,
    All,
    /// The first ones.
    Beginning,
    /// Any of them, and of each write any of its sectors.
    Torn,
}

impl<'a> Disk<'a> {
    pub fn take(&mut self, entry: &'a Entry) {
        match &entry.call {
            Call::Write { .. } | Call::Truncate { .. } => {
                self.0.entry(entry.path.clone()).or_default().pending.push(&entry.call)
            }
            Call::Sync => {
                let stored = self.0.entry(entry.path.clone()).or_default();
                let content = stored.synced.get_or_insert_default();
                stored.pending.drain(..).for_each(|call| apply(content, call, |_| true));
            }
            // Names change at once: the files that matter keep theirs.
            Call::Rename { to } => {
                if let Some(stored) = self.0.remove(&entry.path) {
                    self.0.insert(to.clone(), stored);
                }
            }
            Call::Unlink => drop(self.0.remove(&entry.path)),
            Call::Shown { .. } => {}
        }
    }

    /// Writes the files that begin with `from` to `to`, as they may be after the power is cut now. Gives how many calls were lost or
    /// torn.
    pub fn cut(&self, from: &Path, to: &Path, random: &mut SmallRng) -> usize {
        let mut lost = 0;
        for (path, stored) in &self.0 {
            let Ok(name) = path.strip_prefix(from) else { continue };
            // Memory that is shared by processes, made anew by the first that opens the database.
            if name.to_string_lossy().ends_with("-shm") {
                continue;
            }
            let fate = [Fate::None, Fate::All, Fate::Beginning, Fate::Torn][random.random_range(0..4)];
            let kept = match fate {
                Fate::None => 0,
                Fate::All | Fate::Torn => stored.pending.len(),
                Fate::Beginning => random.random_range(0..=stored.pending.len()),
            };
            lost += stored.pending.len() - kept;
            let mut content = stored.synced.clone();
            for call in &stored.pending[..kept] {
                if fate == Fate::Torn && random.random_bool(0.5) {
                    lost += 1;
                    if random.random_bool(0.5) {
                        apply(content.get_or_insert_default(), call, |_| random.random_bool(0.5));
                    }
                } else {
                    apply(content.get_or_insert_default(), call, |_| true);
                }
            }
            if let Some(content) = content {
                let path = to.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
        lost
    }
}

/// Does a call to a file's content, but only in the sectors that are `kept`.
fn apply(content: &mut Vec<u8>, call: &Call, mut kept: impl FnMut(usize) -> bool) {
    match call {
        Call::Write { offset, data } => {
            let mut at = 0;
            while at < data.len() {
                let begin = offset + at;
                let length = (SECTOR - begin % SECTOR).min(data.len() - at);
                if kept(begin / SECTOR) {
                    if content.len() < begin + length {
                        content.resize(begin + length, 0);
                    }
                    content[begin..begin + length].copy_from_slice(&data[at..at + length]);
                }
                at += length;
            }
        }
        Call::Truncate { length } => content.resize(*length, 0),
        Call::Sync | Call::Rename { .. } | Call::Unlink | Call::Shown { .. } => {}
    }
}
