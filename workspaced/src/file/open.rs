//! Opening a regular file, and saying clearly why something is not one.

use crate::{
    refusal::Refusal,
    root::{Inside, Root},
};
use rustix::fs::OFlags;
use std::{
    fs::{File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
};

/// A regular file of at most `limit` bytes, open for reading.
pub fn regular(root: &Root, shown: &str, path: &Inside, limit: u64, advice: &str) -> Result<(File, Metadata), Refusal> {
    let file = root.open_at(path, OFlags::RDONLY).map_err(|error| Refusal::io(shown, &error))?;
    let metadata = file.metadata().map_err(|error| Refusal::io(shown, &error))?;
    if metadata.is_dir() {
        return Err(Refusal::invalid("is_a_directory", format!("{shown} is a directory, not a file")));
    }
    if !metadata.is_file() {
        return Err(Refusal::invalid("not_a_file", format!("{shown} is not a regular file")));
    }
    if metadata.size() > limit {
        let size = metadata.size();
        return Err(Refusal::with(
            413,
            "file_too_large",
            format!("{shown} has {size} bytes; at most {limit} are read. {advice}"),
        ));
    }
    Ok((file, metadata))
}

/// The whole content, which must be text. A file that grows meanwhile is still bounded.
pub fn text(file: File, shown: &str, limit: u64) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Refusal::io(shown, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Refusal::with(413, "file_too_large", format!("{shown} has more than {limit} bytes")));
    }
    if bytes.contains(&0) {
        return Err(binary(shown, "it contains NUL bytes"));
    }
    String::from_utf8(bytes).map_err(|error| binary(shown, &format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))
}

fn binary(shown: &str, why: &str) -> Refusal {
    Refusal::with(
        415,
        "binary_file",
        format!("{shown} is not a text file: {why}. Look at it with a command such as `file` or `xxd`"),
    )
}
