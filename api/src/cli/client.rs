//! The API as the command line uses it: the same as everybody's.

use crate::{
    config::{Config, Flags},
    owner_token,
    problem::Problem,
    server::announced,
};
use anyhow::{Context, Result, bail};
use docket_eventlog::Log;
use futures_util::StreamExt;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// One server-sent event.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) id: Option<u64>,
    pub(super) name: String,
    pub(super) data: String,
}

impl Client {
    pub(super) fn new(base: String, token: String) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).no_proxy().build()?;
        Ok(Self { http, base, token })
    }

    /// The server of the data folder; `DOCKET_URL` and `DOCKET_TOKEN` name another.
    pub(super) async fn connect(flags: &Flags) -> Result<Self> {
        if let (Some(url), Ok(token)) = (&flags.url, std::env::var("DOCKET_TOKEN")) {
            return Self::new(url.trim_end_matches('/').to_owned(), token);
        }
        let config = Config::load(flags)?;
        match Self::running(&config).await? {
            Some(client) => Ok(client),
            None => bail!("no server is running on {}; start one with `docket serve`", config.data_dir.display()),
        }
    }

    /// The server of the data folder, if one is up.
    pub(super) async fn running(config: &Config) -> Result<Option<Self>> {
        let Some(address) = announced(&config.data_dir) else { return Ok(None) };
        let Ok(token) = owner_token::read(&config.data_dir) else { return Ok(None) };
        // Should nobody answer, a server may be started here, and its log's client has to be the first.
        Log::prepare(&config.database_url()?).await.context("the log cannot be opened")?;
        let client = Self::new(format!("http://{address}"), token)?;
        let alive = client.http.get(format!("{}/healthz", client.base)).timeout(Duration::from_secs(2)).send().await;
        Ok(alive.is_ok_and(|answer| answer.status().is_success()).then_some(client))
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let request = self.http.post(format!("{}/api/v1{path}", self.base)).json(body);
        Self::answer(request.bearer_auth(&self.token).send().await?).await
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = self.http.get(format!("{}/api/v1{path}", self.base));
        Self::answer(request.bearer_auth(&self.token).send().await?).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<()> {
        let request = self.http.delete(format!("{}/api/v1{path}", self.base));
        let answer = request.bearer_auth(&self.token).send().await?;
        Self::check(answer).await.map(drop)
    }

    async fn answer<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T> {
        Self::check(answer).await?.json().await.context("the server's answer")
    }

    async fn check(answer: reqwest::Response) -> Result<reqwest::Response> {
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        match answer.json::<Problem>().await {
            Ok(problem) => bail!("{} ({})", problem.detail, problem.code),
            Err(_) => bail!("the server answered {status}"),
        }
    }

    /// Follows a stream and hands each event to `on_event` until it answers `false` or the stream ends; then the last id.
    pub(super) async fn follow(
        &self,
        path: &str,
        after: Option<u64>,
        mut on_event: impl FnMut(Event) -> Result<bool>,
    ) -> Result<(bool, Option<u64>)> {
        let mut request = self.http.get(format!("{}/api/v1{path}", self.base)).bearer_auth(&self.token);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let answer = Self::check(request.send().await?).await?;
        let mut body = answer.bytes_stream();
        let (mut pending, mut event, mut last) = (Vec::new(), Event::default(), after);
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else { return Ok((true, last)) };
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                match line.trim_end().split_once(": ") {
                    Some(("id", id)) => event.id = id.parse().ok(),
                    Some(("event", name)) => name.clone_into(&mut event.name),
                    Some(("data", data)) => data.clone_into(&mut event.data),
                    Some(_) => {}
                    None if event.name.is_empty() => {}
                    None => {
                        last = event.id.or(last);
                        if !on_event(std::mem::take(&mut event))? {
                            return Ok((false, last));
                        }
                    }
                }
            }
        }
        Ok((true, last))
    }
}
