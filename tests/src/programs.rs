//! The real programs, built once for each test process, with the profile and in the target folder of the tests themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The folder of the programs; builds them at the first call.
///
/// `DOCKET_TEST_PROGRAMS` names a folder that has them already.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("DOCKET_TEST_PROGRAMS").map_or_else(build, PathBuf::from))
}

#[must_use]
pub fn docket() -> PathBuf {
    folder().join("docket")
}

/// The workspace's folder.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).stdin(Stdio::null());
    cargo
}

fn build() -> PathBuf {
    // This program is TARGET/PROFILE/deps/NAME.
    let this = std::env::current_exe().unwrap();
    let folder = this.ancestors().nth(2).unwrap().to_owned();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        name => name,
    };
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "-p", "docket-api", "-p", "docket-workspaced", "--profile", profile]);
    if cfg!(feature = "kurrentdb") {
        cargo.args(["--features", "docket-api/kurrentdb"]);
    }
    let status = cargo.arg("--target-dir").arg(folder.parent().unwrap()).status().unwrap();
    assert!(status.success(), "the programs cannot be built: {status}");
    folder
}
