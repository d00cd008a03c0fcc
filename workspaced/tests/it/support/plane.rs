//! A control plane with nothing but a hub, in a runtime of its own, so that it can die at once like a killed process.

use async_trait::async_trait;
use docket_domain::ids::WorkspaceId;
use docket_workspaces::{CallError, Daemon, Hub, Limit, PathKind, Refused, Registry};
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

/// That it takes at one time.
pub(crate) const CONNECTIONS: usize = 64;

/// What the registry was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Connected(WorkspaceId, PathKind),
    Disconnected(WorkspaceId, String),
    Duplicated(WorkspaceId),
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    tokens: Mutex<HashMap<String, WorkspaceId>>,
    keys: Mutex<HashMap<String, WorkspaceId>>,
    deleted: Mutex<Vec<String>>,
    pub(crate) records: Mutex<Vec<Record>>,
}

#[async_trait]
impl Registry for Book {
    async fn enrol(&self, token: &str, public_key: &str) -> Result<WorkspaceId, Refused> {
        let workspace = self.tokens.lock().unwrap().remove(token).ok_or(Refused::UnknownToken)?;
        self.keys.lock().unwrap().insert(public_key.to_owned(), workspace);
        Ok(workspace)
    }

    async fn workspace_of(&self, public_key: &str) -> Option<WorkspaceId> {
        self.keys.lock().unwrap().get(public_key).copied()
    }

    async fn was_deleted(&self, public_key: &str) -> bool {
        self.deleted.lock().unwrap().iter().any(|key| key == public_key)
    }

    async fn connected(&self, workspace: WorkspaceId, path: PathKind) {
        self.records.lock().unwrap().push(Record::Connected(workspace, path));
    }

    async fn disconnected(&self, workspace: WorkspaceId, reason: &str) {
        self.records.lock().unwrap().push(Record::Disconnected(workspace, reason.to_owned()));
    }

    async fn duplicated(&self, workspace: WorkspaceId) {
        self.records.lock().unwrap().push(Record::Duplicated(workspace));
    }
}

pub(crate) struct Plane {
    pub(crate) book: Arc<Book>,
    pub(crate) address: SocketAddr,
    data: PathBuf,
    running: Option<(Runtime, Arc<Hub>, CancellationToken)>,
    _temp: tempfile::TempDir,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        Self::start_in(&std::env::temp_dir()).await
    }

    /// With its data folder there.
    pub(crate) async fn start_in(dir: &Path) -> Self {
        let temp = tempfile::tempdir_in(dir).unwrap();
        let mut plane = Self {
            book: Arc::default(),
            address: ([127, 0, 0, 1], 0).into(),
            data: temp.path().to_owned(),
            running: None,
            _temp: temp,
        };
        plane.restart().await;
        plane
    }

    /// On the same port, with the same key and the same records.
    pub(crate) async fn restart(&mut self) {
        self.die();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (book, data, address) = (self.book.clone(), self.data.clone(), self.address);
        let listener = super::eventually("the port", async || listen(address).ok()).await;
        let started = runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let address = listener.local_addr().unwrap();
            let hub = Arc::new(Hub::start(&data, book).await.unwrap());
            let stop = CancellationToken::new();
            let beyond = || {
                let mut answer = axum::response::Response::new(axum::body::Body::from("too many"));
                *answer.status_mut() = axum::http::StatusCode::SERVICE_UNAVAILABLE;
                answer
            };
            let limit = Limit { connections: CONNECTIONS, beyond };
            let router = hub.routes().route("/hello", axum::routing::get(|| async { "router" }));
            tokio::spawn(docket_workspaces::serve(listener, router, hub.clone(), limit, stop.clone()));
            (address, hub, stop)
        });
        let (address, hub, stop) = started.await.unwrap();
        self.address = address;
        self.running = Some((runtime, hub, stop));
    }

    /// At once, without a word to anyone.
    pub(crate) fn die(&mut self) {
        if let Some((runtime, hub, _)) = self.running.take() {
            runtime.shutdown_background();
            // Its tasks are gone; what is left of it must not say goodbye either.
            std::mem::forget(hub);
        }
    }

    /// As on SIGTERM.
    pub(crate) async fn stop(&mut self) {
        let (runtime, hub, stop) = self.running.take().unwrap();
        stop.cancel();
        runtime.spawn(async move { hub.close().await }).await.unwrap();
        runtime.shutdown_background();
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.running.as_ref().unwrap().1
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A one-time token and its workspace.
    pub(crate) fn token(&self) -> (String, WorkspaceId) {
        let (token, workspace) = (uuid::Uuid::now_v7().to_string(), WorkspaceId(uuid::Uuid::now_v7()));
        self.book.tokens.lock().unwrap().insert(token.clone(), workspace);
        (token, workspace)
    }

    pub(crate) fn delete(&self, workspace: WorkspaceId) {
        let mut keys = self.book.keys.lock().unwrap();
        let gone: Vec<String> = keys.iter().filter(|(_, id)| **id == workspace).map(|(key, _)| key.clone()).collect();
        keys.retain(|_, id| *id != workspace);
        self.book.deleted.lock().unwrap().extend(gone);
    }

    pub(crate) async fn daemon(&self, workspace: WorkspaceId) -> Daemon {
        self.hub().daemon(workspace, Duration::from_secs(30)).await.unwrap()
    }

    /// A request to a workspace's daemon, made again under the same key when the connection is lost: as every caller does.
    pub(crate) async fn ask<T>(
        &self,
        workspace: WorkspaceId,
        request: impl AsyncFn(Daemon) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        loop {
            match request(self.daemon(workspace).await).await {
                Err(CallError::Disconnected { .. }) => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.book.records.lock().unwrap().clone()
    }
}

/// The port of one that just died may still be held by what is left of it.
fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.die();
    }
}
