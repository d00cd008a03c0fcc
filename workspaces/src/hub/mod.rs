//! Where the daemons of all workspaces are connected.

mod accept;
mod access;
pub(crate) mod bootstrap;
mod connections;
mod key;
mod reports;

use crate::{call_error::ConnectError, daemon::Daemon, registry::Registry};
use access::Gate;
use connections::Connections;
use docket_domain::ids::WorkspaceId;
use docket_wire::{endpoint, hello::CLOSE_SHUTDOWN};
use iroh::{Endpoint, RelayUrl, SecretKey, endpoint::VarInt};
use iroh_relay::{
    KeyCache,
    http::RELAY_PROBE_PATH,
    server::{
        Metrics,
        http_server::{Handlers, RelayService},
    },
};
use std::{fmt, io, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const KEYS_CACHED: usize = 4_096;
const ESTABLISH: Duration = Duration::from_secs(30);
const ONLINE: Duration = Duration::from_secs(10);

/// Why there is no hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The key cannot be read or written.
    #[error("the tunnel's key: {0}")]
    Key(#[source] io::Error),
    /// The private listener cannot be opened.
    #[error("the tunnel's own listener: {0}")]
    Listener(#[source] io::Error),
    /// The endpoint cannot be made.
    #[error("the tunnel's endpoint: {0}")]
    Endpoint(String),
}

/// The control plane's end of all tunnels, and the relay that daemons reach it through.
pub struct Hub {
    instance: String,
    key: SecretKey,
    endpoint: Endpoint,
    relay: RelayService,
    registry: Arc<dyn Registry>,
    connections: Arc<Connections>,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl Hub {
    /// Opens the hub. Its key lies in the data folder: daemons know it, so it must stay the same.
    ///
    /// # Errors
    /// When the key, a loopback port or the endpoint cannot be had.
    pub async fn start(data_dir: &Path, registry: Arc<dyn Registry>) -> Result<Self, HubError> {
        let key = key::open(&data_dir.join("tunnel.key")).map_err(HubError::Key)?;
        let tasks = TaskTracker::new();
        let ending = CancellationToken::new();
        let reports = reports::start(Arc::clone(&registry), &tasks);
        let connections = Arc::new(Connections::new(reports));
        let gate = Arc::new(Gate::new(key.clone(), Arc::clone(&registry), Arc::clone(&connections)));
        let mut handlers = Handlers::default();
        let probe = Box::new(|_request, response: http::response::Builder| {
            Ok(response.status(200).body(Box::new(http_body_util::Empty::new()) as _)?)
        });
        handlers.insert((http::Method::GET, RELAY_PROBE_PATH), probe);
        let metrics = Arc::new(Metrics::default());
        let relay =
            RelayService::new(handlers, http::HeaderMap::new(), None, KeyCache::new(KEYS_CACHED), gate.clone(), metrics);
        // The hub's own way to its relay: not by the public address, which may need a certificate that it does not trust.
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(HubError::Listener)?;
        let address = listener.local_addr().map_err(HubError::Listener)?;
        tasks.spawn(own_relay(listener, relay.clone(), ending.clone()));
        let failed = |error: &dyn std::fmt::Display| HubError::Endpoint(error.to_string());
        let url: RelayUrl = format!("http://{address}").parse().map_err(|error| failed(&error))?;
        let endpoint = endpoint::builder(key.clone(), url, &gate.token(key.public())).bind().await;
        let endpoint = endpoint.map_err(|error| failed(&error))?;
        tokio::time::timeout(ONLINE, endpoint.online()).await.map_err(|_| failed(&"its own relay did not answer"))?;
        let instance = format!("{:032x}", rand::random::<u128>());
        let hub = Self { instance, key, endpoint, relay, registry, connections, ending, tasks };
        hub.tasks.spawn(accept::run(
            hub.endpoint.clone(),
            Arc::clone(&hub.registry),
            Arc::clone(&hub.connections),
            hub.ending.clone(),
        ));
        Ok(hub)
    }

    /// Random, new at each start.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The daemon of a workspace; waits for it to connect.
    ///
    /// # Errors
    /// When it did not connect in time.
    pub async fn daemon(&self, workspace: WorkspaceId, wait: Duration) -> Result<Daemon, ConnectError> {
        let tunnel = tokio::select! {
            tunnel = tokio::time::timeout(wait, self.connections.tunnel(workspace)) => tunnel,
            () = self.ending.cancelled() => return Err(ConnectError::Closed),
        };
        tunnel.map(Daemon::new).map_err(|_| ConnectError::NotConnected(wait))
    }

    /// Whether a workspace's daemon is connected.
    #[must_use]
    pub fn is_connected(&self, workspace: WorkspaceId) -> bool {
        self.connections.now(workspace).is_some()
    }

    /// Throws the daemon of a deleted workspace off, and tells it to end when it asks again.
    pub async fn forget(&self, workspace: WorkspaceId) {
        if let Some(key) = self.connections.forget(workspace) {
            self.relay.clients().disconnect(key, None);
        }
    }

    /// Closes all connections. Daemons come back when a control plane with the same key does.
    pub async fn close(&self) {
        self.connections.close_all(VarInt::from_u32(CLOSE_SHUTDOWN), b"the control plane is shutting down");
        self.endpoint.close().await;
        self.ending.cancel();
        self.relay.shutdown().await;
        self.connections.stop_reports();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn relay(&self) -> &RelayService {
        &self.relay
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("instance", &self.instance).finish_non_exhaustive()
    }
}

async fn own_relay(listener: TcpListener, relay: RelayService, ending: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ending.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(relay.clone().handle_connection(stream, None, ESTABLISH));
            }
            Err(error) => {
                tracing::warn!(%error, "the hub's own listener");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
