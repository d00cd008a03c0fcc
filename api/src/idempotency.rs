//! `Idempotency-Key`: a POST that is repeated under the same key is carried out once.

use crate::{authentication::Authenticated, problem::Problem};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use docket_domain::ids::CommandId;
use uuid::Uuid;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 255;

/// The id of the command that a request means: derived from caller, method, path and key, or fresh where no key is given.
#[derive(Clone, Copy, Debug)]
pub struct Command(pub CommandId);

impl<S: Send + Sync> FromRequestParts<S> for Command
where
    Authenticated: FromRequestParts<S, Rejection = Problem>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Some(key) = parts.headers.get("idempotency-key").cloned() else {
            return Ok(Self(CommandId(Uuid::now_v7())));
        };
        let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= MAX_KEY).ok_or_else(|| {
            let detail = format!("Idempotency-Key: 1 to {MAX_KEY} visible ASCII characters");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
        })?;
        let Authenticated(caller) = Authenticated::from_request_parts(parts, state).await?;
        let name = format!("{} {} {key}", parts.method, parts.uri.path());
        Ok(Self(CommandId::derive(caller.user.0, &name)))
    }
}
