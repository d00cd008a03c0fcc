//! Enrolment, over the control plane's ordinary HTTP port: the only request that a daemon makes outside the tunnel.

use serde::{Deserialize, Serialize};

/// Where a daemon asks, under the control plane's URL.
pub const PATH: &str = "/api/v1/workspaces/bootstrap";

/// A daemon introduces itself. With a token it enrols its key; without, the key must be enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    /// The one-time token, until the key is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The daemon's ed25519 public key, hexadecimal. Its possession is proved later, to the relay and in the tunnel.
    pub public_key: String,
    /// Random, new at each start of the daemon's process, so that two daemons with one key can be told apart.
    pub run: String,
}

/// Where and to whom the daemon connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapAnswer {
    /// Random, new at each start of the control plane's process: another one means that it has forgotten all connections.
    pub instance: String,
    /// The control plane's own public key, the peer of the tunnel.
    pub endpoint_id: String,
    /// Admits this key, and no other, to the relay.
    pub relay_token: String,
    /// The workspace that the key belongs to.
    pub workspace_id: String,
}

/// The JSON body of a refused enrolment. It may have more fields.
#[derive(Clone, Debug, Deserialize)]
pub struct BootstrapProblem {
    /// One of [`code`].
    pub code: String,
    /// Why.
    #[serde(default, alias = "message")]
    pub detail: String,
}

/// Codes of a refused enrolment, in the `code` of the answer's JSON body.
pub mod code {
    /// 400: the request is malformed.
    pub const INVALID: &str = "invalid";
    /// 401: the token is not known, or has enrolled another key.
    pub const UNKNOWN_TOKEN: &str = "unknown_token";
    /// 401: no token, and the key is not enrolled.
    pub const UNKNOWN_KEY: &str = "unknown_key";
    /// 409: another daemon has since connected with the same key, and is connected.
    pub const REPLACED: &str = "replaced";
    /// 410: the workspace was deleted; the daemon ends.
    pub const DELETED: &str = "deleted";
    /// 503: ask again.
    pub const UNAVAILABLE: &str = "unavailable";
}
