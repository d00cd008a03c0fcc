//! The first owner's token, in `owner.token` in the data folder.

use anyhow::{Context, Result};
use docket_commands::{Control, accounts::first_owner};
use docket_domain::Metadata;
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("owner.token")
}

/// # Errors
/// When the file cannot be read.
pub fn read(data_dir: &Path) -> Result<String> {
    let path = path(data_dir);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Makes a token and the file, unless the file is there and its token holds.
///
/// # Errors
/// When the file cannot be written, or the log fails.
pub async fn ensure(control: &Control, data_dir: &Path) -> Result<()> {
    let path = path(data_dir);
    if let Ok(secret) = fs::read_to_string(&path)
        && control.holds_token(first_owner(), secret.trim()).await?
    {
        return Ok(());
    }
    let issued = control.issue_token(first_owner(), Metadata::system(), "owner.token".to_owned(), None).await?;
    // Written beside and renamed, so that a crash leaves the old file or the new one.
    let fresh = path.with_extension("token.new");
    let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    let mut file = written.with_context(|| format!("cannot write {}", fresh.display()))?;
    writeln!(file, "{}", issued.secret)?;
    file.sync_all()?;
    fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
}
