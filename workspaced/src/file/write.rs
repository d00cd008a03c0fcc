//! Writing a whole file.

use super::transaction::Change;
use crate::{refusal::Refusal, root::Root};
use docket_wire::{
    file::{WriteFile, Written},
    limits::WRITE_BYTES,
};
use rustix::fs::OFlags;
use std::{io, os::unix::fs::MetadataExt};

/// What has to change, and the answer once it has.
pub fn plan(root: &Root, request: &WriteFile) -> Result<(Change, Written), Refusal> {
    let shown = &request.path;
    if request.content.len() > WRITE_BYTES {
        return Err(Refusal::with(413, "content_too_large", format!("at most {WRITE_BYTES} bytes are written at a time")));
    }
    let path = root.resolve(shown)?;
    if path.relative().as_os_str().is_empty() || shown.ends_with('/') {
        return Err(Refusal::invalid("is_a_directory", format!("{shown} names a directory, not a file")));
    }
    let mode = match root.open_at(&path, OFlags::PATH) {
        Ok(file) => {
            let metadata = file.metadata().map_err(|error| Refusal::io(shown, &error))?;
            if metadata.is_dir() {
                return Err(Refusal::invalid("is_a_directory", format!("{shown} is a directory, not a file")));
            }
            if !metadata.is_file() {
                return Err(Refusal::invalid("not_a_file", format!("{shown} is not a regular file")));
            }
            writable(root, shown, &path)?;
            Some(metadata.mode() & 0o7777)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Refusal::io(shown, &error)),
    };
    let written = Written { path: path.display(), bytes: request.content.len() as u64, created: mode.is_none() };
    Ok((Change { path, content: request.content.clone().into_bytes(), mode, before: None }, written))
}

/// Replacing a file needs no permission on it. Someone who made it read-only meant it, though.
pub fn writable(root: &Root, shown: &str, path: &crate::root::Inside) -> Result<(), Refusal> {
    root.open_at(path, OFlags::WRONLY).map(drop).map_err(|error| Refusal::io(shown, &error))
}
