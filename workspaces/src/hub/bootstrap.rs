//! The enrolment request of a daemon.

use super::{Hub, access};
use crate::registry::Refused;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use docket_domain::ids::WorkspaceId;
use docket_wire::{
    bootstrap::{self, BootstrapAnswer, BootstrapRequest, code},
    limits::{BOOTSTRAP_BYTES, SECRET_BYTES},
};
use http::{StatusCode, header::CONTENT_TYPE};
use iroh::PublicKey;
use std::sync::Arc;

/// Why a daemon gets no answer. Its JSON has `code` and `detail`; the daemon reads both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// Not a request of a daemon's.
    #[error("the request is malformed: public_key is 64 hexadecimal digits, token and run are short")]
    Invalid,
    /// See [`Refused::UnknownToken`].
    #[error("the token is not known, or was used by another daemon")]
    UnknownToken,
    /// There is no token, and the key is not enrolled.
    #[error("the key is not enrolled; a token is needed")]
    UnknownKey,
    /// Another daemon is connected with the same key.
    #[error("another daemon with the same key has taken this one's place")]
    Replaced,
    /// The workspace was deleted: the daemon ends.
    #[error("the workspace was deleted")]
    Deleted,
    /// The daemon asks again.
    #[error("enrolment is not possible at the moment")]
    Unavailable,
}

impl BootstrapError {
    /// HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::UnknownToken | Self::UnknownKey => 401,
            Self::Replaced => 409,
            Self::Deleted => 410,
            Self::Unavailable => 503,
        }
    }

    /// Stable; see [`docket_wire::bootstrap::code`].
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => code::INVALID,
            Self::UnknownToken => code::UNKNOWN_TOKEN,
            Self::UnknownKey => code::UNKNOWN_KEY,
            Self::Replaced => code::REPLACED,
            Self::Deleted => code::DELETED,
            Self::Unavailable => code::UNAVAILABLE,
        }
    }
}

impl From<Refused> for BootstrapError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownToken => Self::UnknownToken,
            Refused::Deleted => Self::Deleted,
            Refused::Unavailable => Self::Unavailable,
        }
    }
}

impl Hub {
    /// Answers a daemon that asks where to connect, and enrols its key where it has a token.
    ///
    /// # Errors
    /// See [`BootstrapError`].
    pub async fn bootstrap(&self, request: BootstrapRequest) -> Result<BootstrapAnswer, BootstrapError> {
        let key = parse(&request).ok_or(BootstrapError::Invalid)?;
        let public_key = hex::encode(key.as_bytes());
        let workspace = match self.registry.workspace_of(&public_key).await {
            Some(workspace) => workspace,
            None => self.enrol(&request, key, &public_key).await?,
        };
        if self.connections.replaced(workspace, &request.run) {
            return Err(BootstrapError::Replaced);
        }
        Ok(BootstrapAnswer {
            instance: self.instance.clone(),
            endpoint_id: self.key.public().to_string(),
            relay_token: access::token(&self.key, key),
            workspace_id: workspace.to_string(),
        })
    }

    async fn enrol(&self, request: &BootstrapRequest, key: PublicKey, public_key: &str) -> Result<WorkspaceId, BootstrapError> {
        if let Some(token) = &request.token {
            return Ok(self.registry.enrol(token, public_key).await?);
        }
        if self.connections.forgotten(key) || self.registry.was_deleted(public_key).await {
            return Err(BootstrapError::Deleted);
        }
        Err(BootstrapError::UnknownKey)
    }

    /// The route of [`Self::bootstrap`], at its place, for a router that has no other way to serve it.
    pub fn routes(self: &Arc<Self>) -> Router {
        Router::new().route(bootstrap::PATH, post(route)).with_state(Arc::clone(self))
    }
}

async fn route(State(hub): State<Arc<Hub>>, body: Body) -> Response {
    let body = to_bytes(body, BOOTSTRAP_BYTES).await.ok();
    let request = body.and_then(|body| serde_json::from_slice(&body).ok());
    let answer = match request {
        Some(request) => hub.bootstrap(request).await,
        None => Err(BootstrapError::Invalid),
    };
    match answer {
        Ok(answer) => ([(CONTENT_TYPE, "application/json")], serde_json::to_vec(&answer).unwrap_or_default()).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let body = serde_json::json!({"status": error.status(), "code": error.code(), "detail": error.to_string()});
            (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
        }
    }
}

fn parse(request: &BootstrapRequest) -> Option<PublicKey> {
    let short = |text: &str| text.len() <= SECRET_BYTES;
    if !short(&request.run) || !request.token.as_deref().is_none_or(short) {
        return None;
    }
    let bytes: [u8; 32] = hex::decode(&request.public_key).ok()?.try_into().ok()?;
    PublicKey::from_bytes(&bytes).ok()
}
