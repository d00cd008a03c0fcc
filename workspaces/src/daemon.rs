//! The client of a workspace's daemon: one stream for each request, and every answer bounded.

use crate::{
    call_error::CallError,
    tunnel::{Tunnel, TunnelError, TunnelInfo},
};
use bytes::Bytes;
use docket_wire::{
    file::{EditFiles, Edited, FileContent, ReadFile, WriteFile, Written},
    limits::{ANSWER_BYTES, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, WAIT_MAX_MS},
    metadata::Metadata,
    preface::Kind,
    problem::{IDEMPOTENCY_KEY, Problem},
    process::{ListQuery, OutputQuery, ProcessList, ProcessOutput, SignalProcess, Signalled, StartProcess},
};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};

/// For an answer that nothing has to be waited for.
const PROMPT: Duration = Duration::from_secs(30);

/// A workspace's daemon, over a tunnel that was there when this was made.
#[derive(Clone, Debug)]
pub struct Daemon {
    tunnel: Arc<dyn Tunnel>,
}

impl Daemon {
    /// Over any tunnel.
    #[must_use]
    pub fn new(tunnel: Arc<dyn Tunnel>) -> Self {
        Self { tunnel }
    }

    /// What is known of the way to it.
    #[must_use]
    pub fn info(&self) -> TunnelInfo {
        self.tunnel.info()
    }

    /// The tunnel, for streams of other kinds.
    #[must_use]
    pub fn tunnel(&self) -> &Arc<dyn Tunnel> {
        &self.tunnel
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// As all requests: see [`CallError`].
    pub async fn ping(&self) -> Result<(), CallError> {
        self.get::<serde::de::IgnoredAny>("/v1/ping".to_owned(), PROMPT).await.map(drop)
    }

    /// What it says of itself and its machine.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn metadata(&self) -> Result<Metadata, CallError> {
        self.get("/v1/metadata".to_owned(), PROMPT).await
    }

    /// Some lines of a file.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn read_file(&self, request: &ReadFile) -> Result<FileContent, CallError> {
        self.post("/v1/files/read".to_owned(), None, request, PROMPT).await
    }

    /// Writes a file.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn write_file(&self, key: &str, request: &WriteFile) -> Result<Written, CallError> {
        self.post("/v1/files/write".to_owned(), Some(key), request, PROMPT * 2).await
    }

    /// Edits files, all or none.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn edit_files(&self, key: &str, request: &EditFiles) -> Result<Edited, CallError> {
        self.post("/v1/files/edit".to_owned(), Some(key), request, PROMPT * 2).await
    }

    /// Runs a command, and waits as the request says.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn start_process(&self, key: &str, request: &StartProcess) -> Result<ProcessOutput, CallError> {
        let wait = if request.background { 0 } else { request.timeout_ms.unwrap_or(TIMEOUT_DEFAULT_MS).min(TIMEOUT_MAX_MS) };
        self.post("/v1/processes".to_owned(), Some(key), request, PROMPT + Duration::from_millis(wait)).await
    }

    /// What a process wrote, and how far it is.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn process_output(&self, id: &str, query: &OutputQuery) -> Result<ProcessOutput, CallError> {
        let wait = Duration::from_millis(query.wait_ms.unwrap_or(0).min(WAIT_MAX_MS));
        let mut path = with_owner(format!("{}/output", process(id)?), query.owner.as_deref());
        if let Some(wait_ms) = query.wait_ms {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("wait_ms={wait_ms}"));
        }
        self.get(path, PROMPT + wait).await
    }

    /// The newest processes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn process_list(&self, query: &ListQuery) -> Result<ProcessList, CallError> {
        self.get(with_owner("/v1/processes".to_owned(), query.owner.as_deref()), PROMPT).await
    }

    /// Signals a process and its group.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn process_signal(&self, key: &str, id: &str, request: &SignalProcess) -> Result<Signalled, CallError> {
        self.post(format!("{}/signal", process(id)?), Some(key), request, PROMPT).await
    }

    async fn get<T: DeserializeOwned>(&self, path: String, timeout: Duration) -> Result<T, CallError> {
        self.call(Method::GET, path, None, Bytes::new(), timeout).await
    }

    async fn post<Q: Serialize, T: DeserializeOwned>(
        &self,
        path: String,
        key: Option<&str>,
        request: &Q,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(request).map_err(|error| invalid(&error))?;
        self.call(Method::POST, path, key, body.into(), timeout).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        key: Option<&str>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "workspace");
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body)).map_err(|error| invalid(&error))?;
        let exchange = tokio::time::timeout(timeout, exchange(&*self.tunnel, request));
        let (status, body) = tokio::select! {
            answer = exchange => answer.map_err(|_| CallError::disconnected("no answer in time"))??,
            reason = self.tunnel.closed() => return Err(CallError::disconnected(reason)),
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| invalid(&error));
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|error| invalid(&error))?;
        Err(CallError::answered(problem))
    }
}

async fn exchange(tunnel: &dyn Tunnel, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), CallError> {
    let io = tunnel.open(Kind::Http, b"").await.map_err(|error| match error {
        TunnelError::Lost(reason) => CallError::Disconnected { reason },
        TunnelError::Refused(message) => CallError::Refused { code: "refused".to_owned(), message },
    })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(CallError::disconnected)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(CallError::disconnected)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await.map_err(CallError::disconnected)?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answer);
    tokio::pin!(connection);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may be done, with the answer already in hand.
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(CallError::disconnected(error)),
        },
    }
}

fn process(id: &str) -> Result<String, CallError> {
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let message = format!("there is no process {id:?}; list the processes");
        return Err(CallError::Refused { code: "no_such_process".to_owned(), message });
    }
    Ok(format!("/v1/processes/{id}"))
}

fn with_owner(path: String, owner: Option<&str>) -> String {
    let Some(owner) = owner else { return path };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded: String =
        owner.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
    format!("{path}?owner={encoded}")
}

fn invalid(error: &dyn std::fmt::Display) -> CallError {
    CallError::Refused { code: "invalid_answer".to_owned(), message: format!("the daemon's answer is not understood: {error}") }
}
