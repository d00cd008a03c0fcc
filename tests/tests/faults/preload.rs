//! The library that is preloaded into a process under test; see `tests/preload/preload.c`.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A folder that every account of this machine can read, with the library in it.
#[derive(Debug)]
pub struct Preload(TempDir);

impl Preload {
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("preload/preload.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(folder.path().join("preload.so"));
        let status = compiler.arg(source).args(["-ldl", "-lpthread"]).status().unwrap();
        assert!(status.success(), "{compiler:?}");
        Self(folder)
    }

    pub fn library(&self) -> String {
        self.file("preload.so").display().to_string()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
