//! A whole control plane in this process, and its API as anybody uses it.

use super::{
    super::scratch::Database,
    reader::{Source, client},
};
use crate::{
    config::{Config, DurabilityChoice},
    owner_token,
    server::Server,
};
use anyhow::{Context, Result};
use docket_eventlog::{DatabaseUrl, Log};
use docket_providers::Providers;
use serde::Deserialize;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) struct Plane {
    pub(super) log: Log,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    base: String,
    client: reqwest::Client,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

#[derive(Deserialize)]
pub(super) struct Chat {
    id: String,
}

impl Plane {
    /// On an empty database, with the provider as the only one.
    pub(super) async fn start(database: &Database, provider: &str) -> Result<Self> {
        let config = Config {
            data_dir: database.folder.join("data"),
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            database: match &database.url {
                DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
                DatabaseUrl::Postgres(url) | DatabaseUrl::Kurrentdb(url) => url.clone(),
            },
            views: None,
            url: None,
            durability: DurabilityChoice::Sync,
            workspaced: None,
            allow_unconfined: false,
            segments: database.folder.join("segments").display().to_string(),
            seal_after: None,
        };
        let providers = Providers::from_env(|name| (name == "OPENAI_BASE_URL").then(|| provider.to_owned()))?;
        let server = Server::start_with(&config, providers).await?;
        let (address, log) = (server.address(), server.state().control.log.clone());
        let base = format!("http://{address}/api/v1");
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.serve(stop.clone()));
        Ok(Self { log, address, base, token: owner_token::read(&config.data_dir)?, client: client()?, stop, task })
    }

    /// Makes a chat whose first turn calls the provider at once.
    pub(super) async fn chat(&self) -> Result<Chat> {
        let body = json!({ "model": "openai/bench", "content": [{ "type": "text", "text": "What does the fox do?" }] });
        let request = self.client.post(format!("{}/chats", self.base)).bearer_auth(&self.token).json(&body);
        request.send().await?.error_for_status()?.json().await.context("the answer to a new chat")
    }

    /// Makes a chat in which nobody has said anything.
    pub(super) async fn quiet_chat(&self) -> Result<Uuid> {
        let request = self.client.post(format!("{}/chats", self.base)).bearer_auth(&self.token).json(&json!({}));
        let chat: Chat = request.send().await?.error_for_status()?.json().await.context("the answer to a new chat")?;
        Ok(chat.id.parse()?)
    }

    /// Everything that comes in the chat, from its first event on.
    pub(super) fn events(&self, chat: &Chat) -> Source {
        Source::events(&self.client, format!("{}/chats/{}/events?after=0", self.base, chat.id), &self.token)
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?.context("the control plane did not end well")
    }
}
