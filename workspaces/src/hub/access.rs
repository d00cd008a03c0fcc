//! Who may use the relay: the hub itself, and daemons whose key is enrolled. The relay has proved the key by then.

use super::connections::Connections;
use crate::registry::Registry;
use iroh::{EndpointId, PublicKey, SecretKey};
use iroh_relay::server::{Access, AccessControl, ClientRequest, ConnectionId};
use std::{fmt, sync::Arc};

const CONTEXT: &[u8] = b"docket relay token 1\0";

/// The relay's gate.
pub(super) struct Gate {
    key: SecretKey,
    registry: Arc<dyn Registry>,
    connections: Arc<Connections>,
}

impl Gate {
    pub(super) fn new(key: SecretKey, registry: Arc<dyn Registry>, connections: Arc<Connections>) -> Self {
        Self { key, registry, connections }
    }

    /// Admits one key. It is the same after a restart.
    pub(super) fn token(&self, id: PublicKey) -> String {
        token(&self.key, id)
    }
}

/// See [`Gate::token`].
pub(super) fn token(key: &SecretKey, id: PublicKey) -> String {
    hex::encode(key.sign(&[CONTEXT, id.as_bytes()].concat()).to_bytes())
}

impl AccessControl for Gate {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        let id = request.endpoint_id();
        let denied = |reason: &str| Access::Deny { reason: Some(reason.to_owned()) };
        if request.auth_token().as_deref() != Some(self.token(id).as_str()) {
            return denied("bad token");
        }
        if id != self.key.public() {
            if self.registry.workspace_of(&hex::encode(id.as_bytes())).await.is_none() {
                return denied("unknown key");
            }
            self.connections.present(id, request.connection_id());
        }
        Access::Allow
    }

    fn on_disconnect(&self, id: EndpointId, connection: ConnectionId) {
        self.connections.absent(id, connection);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}
