//! Who asks: `Authorization: Bearer TOKEN`.

use crate::{
    authorization::{Action, Caller, allowed},
    problem::Problem,
    state::AppState,
};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use docket_domain::{Metadata, actor::Actor};
use sha2::{Digest, Sha256};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 256;

/// A caller who is known.
#[derive(Clone, Debug)]
pub struct Authenticated(pub Caller);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let unknown = || {
            let detail = "send Authorization: Bearer TOKEN with a token that holds";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        };
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(unknown)?;
        let (scheme, token) = header.split_once(' ').ok_or_else(unknown)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_TOKEN {
            return Err(unknown());
        }
        // A token is random and long, so its hash needs no salt; the look-up is by the whole hash, not by comparing secrets.
        let hash = hex::encode(Sha256::digest(token.trim().as_bytes()));
        let found = state.projections.users().token(&hash).await?.ok_or_else(unknown)?;
        if found.expires_at.is_some_and(|at| at <= state.control.clock.now().0) {
            return Err(unknown());
        }
        let known = Self(Caller { user: found.user, role: found.role });
        parts.extensions.insert(known.clone());
        Ok(known)
    }
}

impl Authenticated {
    /// # Errors
    /// 403.
    pub fn require(&self, action: Action) -> Result<(), Problem> {
        if allowed(&self.0, action) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "your role does not allow this"))
    }

    /// Whether the caller may do this with a resource, whose existence is private: who may not even see it gets 404.
    ///
    /// # Errors
    /// 404 or 403.
    pub fn require_of(&self, what: &str, action: Action) -> Result<(), Problem> {
        let (Action::See { owner } | Action::Work { owner }) = action else { return self.require(action) };
        if !allowed(&self.0, Action::See { owner }) {
            return Err(Problem::not_found(what));
        }
        self.require(action)
    }

    /// What stands beside events that this caller brings about.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        Metadata::new(Actor::User(self.0.user), self.0.user)
    }
}
