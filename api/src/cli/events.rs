//! `docket events`

use super::{client::Client, print};
use crate::config::Flags;
use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{process::ExitCode, time::Duration};

#[derive(Args, Debug)]
pub(super) struct Events {
    #[command(subcommand)]
    command: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Print events as they are appended, one a line
    Tail(Tail),
}

#[derive(Args, Debug)]
struct Tail {
    /// Begin after this position; at the newest by default
    #[arg(long)]
    after: Option<u64>,
    /// Only these event types, for example chat.turn_completed
    #[arg(long, value_delimiter = ',')]
    types: Vec<String>,
    /// Only this chat and its model calls
    #[arg(long)]
    chat: Option<uuid::Uuid>,
    /// End when what was there at the start has been printed
    #[arg(long)]
    no_follow: bool,
    /// Print the event as the stream carries it
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    position: u64,
    stream: &'a str,
    sequence: u64,
    r#type: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Head {
    position: u64,
}

impl Events {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        let Which::Tail(tail) = self.command;
        let client = Client::connect(flags).await?;
        let head = client.get::<Head>("/events/head").await?.position;
        let mut after = tail.after.unwrap_or(if tail.no_follow { 0 } else { head });
        let until = if tail.no_follow { format!("&until={head}") } else { String::new() };
        let path = match tail.chat {
            Some(chat) => format!("/chats/{chat}/events"),
            None => "/events".to_owned(),
        };
        loop {
            let path = format!("{path}?types={}&after={after}{until}", tail.types.join(","));
            let (_, last) = client.follow(&path, None, |event| tail.print(&event).map(|()| true)).await?;
            if tail.no_follow {
                return Ok(ExitCode::SUCCESS);
            }
            after = last.unwrap_or(after);
            print::note("the stream ended; connecting again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

impl Tail {
    fn print(&self, event: &super::client::Event) -> Result<()> {
        if event.id.is_none() {
            return Ok(());
        }
        if self.json {
            return print::data(&format!("{}\n", event.data));
        }
        let line: Line<'_> = serde_json::from_str(&event.data)?;
        print::data(&format!("{} {}@{} {} {}\n", line.position, line.stream, line.sequence, line.r#type, line.data))
    }
}
