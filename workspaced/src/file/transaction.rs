//! Changing several files, all or none, also when the daemon is killed midway.
//!
//! The new contents are written beside the files first. Then one record, durable, says that the change is decided; from
//! then on it is carried out, if need be by the next daemon. The same record is the answer to a repeat of the request, so
//! a change that took place is known to have.

use crate::{
    durable,
    refusal::Refusal,
    root::{Inside, Root},
};
use rustix::fs::{AtFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file's new content.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which file.
    pub path: Inside,
    /// All of it.
    pub content: Vec<u8>,
    /// Of the file before, kept. `None` for a new file.
    pub mode: Option<u32>,
    /// The content before, where a failure midway has to be undone.
    pub before: Option<Vec<u8>>,
}

/// What is still to do for a request. An open record of this kind lies in the journal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Moves {
    /// Whether the change is decided. Until then its temporary files are only litter.
    pub decided: bool,
    /// Temporary file and the file whose place it takes.
    pub moves: Vec<(PathBuf, PathBuf)>,
}

/// Names the temporary files of a request.
pub fn moves(name: &str, changes: &[Change]) -> Moves {
    let moves = (0..)
        .zip(changes)
        .map(|(index, change)| {
            let temp = change.path.sibling(&format!(".{}.{index}.tmp", &name[..name.len().min(16)]));
            (temp.relative().to_owned(), change.path.relative().to_owned())
        })
        .collect();
    Moves { decided: false, moves }
}

/// Writes the temporary files, durable when this returns.
pub fn prepare(root: &Root, moves: &Moves, changes: &[Change]) -> Result<(), Refusal> {
    for ((temp, _), change) in moves.moves.iter().zip(changes) {
        write_temp(root, temp, change).map_err(|error| Refusal::io(&change.path.display(), &error))?;
    }
    Ok(())
}

/// Puts the temporary files into their places. Those already there are passed over, so this can be repeated.
pub fn carry_out(root: &Root, moves: &Moves) -> io::Result<()> {
    let mut first_error = None;
    for (temp, target) in &moves.moves {
        if let Err(error) = carry_out_one(root, temp, target) {
            first_error.get_or_insert(error);
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// Gives the files that were already replaced their old content, after a failure midway.
pub fn undo(root: &Root, moves: &Moves, changes: &[Change]) {
    for ((temp, _), change) in moves.moves.iter().zip(changes) {
        let (Some(inside), Some(before)) = (Inside::recorded(temp), &change.before) else { continue };
        if root.open_at(&inside, OFlags::PATH).is_ok() {
            continue;
        }
        let old = Change { content: before.clone(), ..change.clone() };
        let restored = write_temp(root, temp, &old).and_then(|()| carry_out_one(root, temp, change.path.relative()));
        if let Err(error) = restored {
            tracing::error!(path = %change.path.display(), %error, "a change could not be undone");
        }
    }
    abandon(root, moves);
}

/// Removes the temporary files of a change that was not decided.
pub fn abandon(root: &Root, moves: &Moves) {
    for (temp, _) in &moves.moves {
        let Some(temp) = Inside::recorded(temp) else { continue };
        if let (Ok(parent), Ok(name)) = (root.parent(&temp, false), Root::name(&temp)) {
            let _ = rustix::fs::unlinkat(parent, name, AtFlags::empty());
        }
    }
}

fn write_temp(root: &Root, temp: &Path, change: &Change) -> io::Result<()> {
    let temp = recorded(temp)?;
    let parent = root.parent(&temp, true)?;
    let name = Root::name(&temp)?;
    // A leftover of an attempt that was killed.
    let _ = rustix::fs::unlinkat(&parent, name, AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o666))?);
    if let Some(mode) = change.mode {
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    }
    file.write_all(&change.content)?;
    file.sync_all()
}

fn carry_out_one(root: &Root, temp: &Path, target: &Path) -> io::Result<()> {
    let (temp, target) = (recorded(temp)?, recorded(target)?);
    let parent = root.parent(&temp, false)?;
    match rustix::fs::renameat(&parent, Root::name(&temp)?, &parent, Root::name(&target)?) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::fsync(&parent)?)
}

fn recorded(path: &Path) -> io::Result<Inside> {
    Inside::recorded(path).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Makes the journal's directory.
pub fn journal_dir(state: &Path) -> io::Result<PathBuf> {
    let dir = state.join("journal");
    durable::private_dir(&dir)?;
    Ok(dir)
}
