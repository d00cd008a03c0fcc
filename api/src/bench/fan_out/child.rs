//! A control plane as a process of its own, so that what it uses can be told from what its readers use.

use super::super::scratch::Database;
use crate::{owner_token, server};
use anyhow::{Context, Result, bail};
use docket_eventlog::DatabaseUrl;
use serde::Deserialize;
use serde_json::json;
use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    process::{Child as Process, Command},
};

/// How long it may take to start.
const START: Duration = Duration::from_secs(60);

pub(super) struct Child {
    process: Process,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Chat {
    id: String,
}

impl Child {
    /// This program on an empty database, with the provider as the only one.
    pub(super) async fn start(database: &Database, provider: &str) -> Result<Self> {
        let data_dir = database.folder.join("data");
        let url = match &database.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) | DatabaseUrl::Kurrentdb(url) => url.clone(),
        };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data_dir)
            .env("DOCKET_DATABASE", url)
            .env("OPENAI_BASE_URL", provider)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(database.folder.join("server.log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + START;
        let address = loop {
            if let Some(address) = server::announced(&data_dir)
                && TcpStream::connect(address).await.is_ok()
            {
                break address;
            }
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(database.folder.join("server.log"))?;
                bail!("the server did not start: {log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { process, address, token: owner_token::read(&data_dir)?, client })
    }

    /// Makes a chat whose first turn calls the provider at once. Gives the path of its events.
    pub(super) async fn chat(&self) -> Result<String> {
        let body = json!({ "model": "openai/bench", "content": [{ "type": "text", "text": "What does the fox do?" }] });
        let request = self.client.post(format!("http://{}/api/v1/chats", self.address)).bearer_auth(&self.token).json(&body);
        let chat: Chat = request.send().await?.error_for_status()?.json().await.context("the answer to a new chat")?;
        Ok(format!("/api/v1/chats/{}/events?after=0", chat.id))
    }

    /// Processor time that its threads have used.
    pub(super) fn processor(&self) -> Result<Duration> {
        let id = self.process.id().context("the server ended")?;
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
            // One that ends while we look has done little.
            let Ok(stat) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            nanos += stat.split(' ').next().and_then(|used| used.parse::<u64>().ok()).context("/proc/…/schedstat")?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its memory, in KiB.
    pub(super) fn resident(&self) -> Result<u64> {
        let id = self.process.id().context("the server ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).context("/proc/…/status")
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        self.process.kill().await.context("the server cannot be ended")
    }
}
