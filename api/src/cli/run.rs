//! `docket run`: one prompt, streamed to the terminal.

use super::{
    client::{Client, Event},
    print, serve,
};
use crate::{
    config::{Config, Flags},
    owner_token,
    server::Server,
};
use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{net::SocketAddr, process::ExitCode, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[derive(Args, Debug)]
pub(super) struct Run {
    /// What to do; `-` reads it from standard input
    prompt: String,
    /// provider/model
    #[arg(long)]
    model: Option<String>,
    /// Go on in this chat
    #[arg(long)]
    chat: Option<uuid::Uuid>,
    /// Print the events, one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The server of the data folder, or one of our own for as long as this lasts.
struct Connection {
    client: Client,
    own: Option<(CancellationToken, JoinHandle<Result<()>>)>,
}

impl Run {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        let prompt = match self.prompt.as_str() {
            "-" => std::io::read_to_string(std::io::stdin()).context("standard input")?,
            text => text.to_owned(),
        };
        let config = Config::load(flags)?;
        let connection = Connection::open(config).await?;
        let done = self.perform(&connection.client, prompt).await;
        connection.close().await?;
        done
    }

    async fn perform(&self, client: &Client, prompt: String) -> Result<ExitCode> {
        let content = json!([{ "type": "text", "text": prompt }]);
        let (chat, after) = match self.chat {
            Some(chat) => {
                let body = json!({ "content": content, "model": self.model });
                let sent: Value = client.post(&format!("/chats/{chat}/messages"), &body).await?;
                // Everything from the prompt on, be it delivered now or later.
                (chat.to_string(), sent["position"].as_u64().unwrap_or(1).saturating_sub(2))
            }
            None => {
                let made: Value = client.post("/chats", &json!({ "content": content, "model": self.model })).await?;
                (made["id"].as_str().unwrap_or_default().to_owned(), 0)
            }
        };
        print::note(&format!("chat {chat}"));
        let mut screen = Screen { json: self.json, ..Screen::default() };
        let mut after = Some(after);
        loop {
            let path = format!("/chats/{chat}/events");
            let followed = tokio::select! {
                followed = client.follow(&path, after, |event| screen.show(&event)) => followed,
                _ = tokio::signal::ctrl_c() => {
                    print::note("\ninterrupting; once more ends at once");
                    let _: Value = client.post(&format!("/chats/{chat}/interrupt"), &json!({})).await?;
                    continue;
                }
            };
            match followed {
                Ok((false, _)) => break,
                Ok((true, last)) => after = last,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        screen.finish()
    }
}

impl Connection {
    async fn open(config: Config) -> Result<Self> {
        if let Some(client) = Client::running(&config).await? {
            return Ok(Self { client, own: None });
        }
        serve::log_to_stderr("error");
        // Any free port: the configured one may be somebody else's.
        let config = Config { listen: SocketAddr::new(config.listen.ip(), 0), ..config };
        let server = Server::start(&config).await?;
        let client = Client::new(format!("http://{}", server.address()), owner_token::read(&config.data_dir)?)?;
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));
        Ok(Self { client, own: Some((stop, serving)) })
    }

    /// Ends a server of our own, after the workspaces that nobody could reach any more.
    async fn close(self) -> Result<()> {
        let Some((stop, serving)) = self.own else { return Ok(()) };
        let workspaces: Value = self.client.get("/workspaces").await?;
        for workspace in workspaces["items"].as_array().into_iter().flatten() {
            if workspace["status"] == "running" {
                let path = format!("/workspaces/{}/stop", workspace["id"].as_str().unwrap_or_default());
                let _: Value = self.client.post(&path, &json!({})).await?;
                let directory = workspace["directory"].as_str().unwrap_or_default();
                print::note(&format!("workspace {} stopped; its files are in {directory}", workspace["name"]));
            }
        }
        stop.cancel();
        serving.await?
    }
}

/// Streamed text on standard output, everything else on standard error.
#[derive(Debug, Default)]
struct Screen {
    json: bool,
    in_text: bool,
    in_reasoning: bool,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    data: Value,
}

impl Screen {
    /// `false` when the turn has ended.
    fn show(&mut self, event: &Event) -> Result<bool> {
        if event.id.is_none() || event.name == "snapshot" {
            return Ok(true);
        }
        if self.json {
            print::data(&format!("{}\n", event.data))?;
        }
        let Envelope { data } = serde_json::from_str(&event.data).context("an event of the server")?;
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        match event.name.as_str() {
            "model_call.text_streamed" if !self.json => {
                self.settle(true)?;
                self.in_text = true;
                print::data(&text("text"))?;
            }
            "model_call.reasoning_streamed" if !self.json => {
                if !self.in_reasoning {
                    self.settle(false)?;
                    print::note("[thinking]");
                }
                self.in_reasoning = true;
            }
            "chat.tool_call_requested" => {
                self.settle(false)?;
                let call = &data["call"];
                let input: String = call["input"].as_str().unwrap_or_default().chars().take(200).collect();
                self.say(&format!("→ {} {input}", call["name"].as_str().unwrap_or_default()));
            }
            "chat.tool_call_completed" => {
                let result = &data["result"];
                let output = &result["output"];
                let shown = output["text"].as_str().map(|text| text.chars().take(300).collect::<String>());
                let shown = shown.unwrap_or_else(|| format!("[{} bytes]", output["bytes"]));
                self.say(&format!("← {}: {shown}", result["outcome"].as_str().unwrap_or_default()));
            }
            "chat.model_call_failed" => {
                self.settle(false)?;
                self.say(&format!("! {}", data["failure"]["message"].as_str().unwrap_or_default()));
            }
            "chat.model_call_retry_scheduled" => self.say(&format!("  attempt {} follows", data["attempt"])),
            "chat.turn_completed" => {
                self.settle(false)?;
                return Ok(false);
            }
            "chat.turn_interrupted" => {
                self.settle(false)?;
                self.failure = Some("the turn was interrupted".to_owned());
                return Ok(false);
            }
            "chat.turn_failed" => {
                self.settle(false)?;
                self.failure = Some(data["failure"]["message"].as_str().unwrap_or("the turn failed").to_owned());
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    fn say(&self, line: &str) {
        if !self.json {
            print::note(line);
        }
    }

    /// Ends the line that is being written, unless more of the same kind follows.
    fn settle(&mut self, text_follows: bool) -> Result<()> {
        if self.in_text && !text_follows {
            print::data("\n")?;
            self.in_text = false;
        }
        self.in_reasoning = false;
        Ok(())
    }

    fn finish(self) -> Result<ExitCode> {
        match self.failure {
            None => Ok(ExitCode::SUCCESS),
            Some(failure) => anyhow::bail!(failure),
        }
    }
}
