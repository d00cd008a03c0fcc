//! The daemon's interface over a tunnel in memory.

use docket_workspaced::{
    app::{App, router},
    calls::Calls,
    metadata::About,
    process::{environment::Environment, table::Table},
    root::Root,
    stream,
};
use docket_workspaces::{Daemon, tunnel::memory};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

pub(crate) struct Local {
    pub(crate) daemon: Daemon,
    pub(crate) dir: PathBuf,
    pub(crate) state: PathBuf,
    _temp: Arc<TempDir>,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A daemon on the records of this one, as after its end.
    pub(crate) fn reopened(&self) -> Self {
        Self::at(Arc::clone(&self._temp))
    }

    fn at(temp: Arc<TempDir>) -> Self {
        let dir = temp.path().join("ws");
        let state = temp.path().join("state");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        let root = Root::open(&dir).unwrap();
        let calls = Arc::new(Calls::open(&state, &root).unwrap());
        let environment = Environment::new(std::env::vars_os());
        let processes = Table::open(&state, super::binary(), environment, None).unwrap();
        let router = router(Arc::new(App { root, calls, processes, about: About::new("none".to_owned()) }));
        let (tunnel, mut streams) = memory::tunnel();
        tokio::spawn(async move {
            while let Some(io) = streams.recv().await {
                tokio::spawn(stream::serve(io, router.clone()));
            }
        });
        Self { daemon: Daemon::new(Arc::new(tunnel)), dir: dir.canonicalize().unwrap(), state, _temp: temp }
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.join(path)).unwrap()
    }
}
