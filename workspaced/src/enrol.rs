//! The one request outside the tunnel: where is the control plane's end of it, and is it still the same process.

use crate::identity::Identity;
use docket_wire::{
    bootstrap::{self, BootstrapAnswer, BootstrapProblem, BootstrapRequest, code},
    limits::BOOTSTRAP_BYTES,
};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the control plane.
#[derive(Clone, Debug)]
pub struct Enrolment {
    client: reqwest::Client,
    url: String,
    identity: Identity,
    run: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No answer, or not one of the control plane's: try again.
    #[error("the control plane cannot be reached: {0}")]
    Unreachable(String),
    /// The workspace was deleted.
    #[error("the workspace was deleted: {0}")]
    Deleted(String),
    /// Another daemon has connected with the same key.
    #[error("another daemon uses this workspace's key: {0}")]
    Replaced(String),
    /// The token or the key is not accepted.
    #[error("the control plane refused this daemon: {0}")]
    Refused(String),
}

impl Enrolment {
    /// `run` is random and new at each start.
    pub fn new(url: &str, identity: Identity, run: String) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("docket-workspaced/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, url: url.to_owned(), identity, run })
    }

    /// Of this process.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Asks, with the token as long as there is one.
    pub async fn ask(&self) -> Result<BootstrapAnswer, EnrolError> {
        let token = self.identity.token();
        let enrols = token.is_some();
        let request = BootstrapRequest { token, public_key: self.identity.public_key(), run: self.run.clone() };
        let body = serde_json::to_vec(&request).map_err(unreachable)?;
        let url = format!("{}{}", self.url, bootstrap::PATH);
        let sent = self.client.post(url).header("content-type", "application/json").body(body).send();
        let mut response = sent.await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > BOOTSTRAP_BYTES {
                return Err(EnrolError::Unreachable("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let answer = serde_json::from_slice(&body).map_err(unreachable)?;
            if enrols {
                self.identity.enrolled();
            }
            return Ok(answer);
        }
        // Whatever else the body has, a code of ours says what is meant; without one, something else answered.
        let problem: Result<BootstrapProblem, _> = serde_json::from_slice(&body);
        let problem = problem.map_err(|_| EnrolError::Unreachable(format!("status {status}")))?;
        Err(match problem.code.as_str() {
            code::DELETED => EnrolError::Deleted(problem.detail),
            code::REPLACED => EnrolError::Replaced(problem.detail),
            code::UNKNOWN_TOKEN | code::UNKNOWN_KEY | code::INVALID => EnrolError::Refused(problem.detail),
            _ => EnrolError::Unreachable(problem.detail),
        })
    }
}

fn unreachable(error: impl std::error::Error) -> EnrolError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    EnrolError::Unreachable(text)
}
