//! `docket projections`

use super::{client::Client, print};
use crate::config::Flags;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use docket_projections::{Failure, Status, Tables};
use serde::Deserialize;
use serde_json::json;
use std::{process::ExitCode, time::Duration};

/// How often a build's progress is looked at.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(super) struct Projections {
    #[command(subcommand)]
    command: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Show how the views are
    List {
        /// Print one JSON document instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Build views anew from the first event, beside those that are read, and wait for it
    Rebuild {
        /// All by default
        names: Vec<String>,
    },
    /// Try again what a projection had to set aside: it is built anew, so that every event has its turn in its place
    Retry {
        name: String,
        /// Only if the event at this position was set aside
        #[arg(long)]
        position: Option<u64>,
    },
}

#[derive(Deserialize, serde::Serialize)]
struct List {
    items: Vec<Status>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Begun {
    name: String,
    generation: u64,
}

impl Projections {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        let client = Client::connect(flags).await?;
        match self.command {
            Which::List { json } => list(&client, json).await?,
            Which::Rebuild { mut names } => {
                if names.is_empty() {
                    names = client.get::<List>("/projections").await?.items.into_iter().map(|one| one.name).collect();
                }
                let mut begun = Vec::with_capacity(names.len());
                for name in names {
                    begun.push(client.post(&format!("/projections/{name}/rebuild"), &json!({})).await?);
                }
                wait(&client, begun).await?;
            }
            Which::Retry { name, position } => {
                let query = position.map_or_else(String::new, |position| format!("?position={position}"));
                let begun: Begun = client.post(&format!("/projections/{name}/retry{query}"), &json!({})).await?;
                wait(&client, vec![begun]).await?;
                let left = client.get::<List>("/projections").await?.failures;
                let left: Vec<_> = left.iter().filter(|failure| failure.projection == name).collect();
                left.iter().for_each(|failure| print::note(&shown(failure)));
                if !left.is_empty() {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(client: &Client, json: bool) -> Result<()> {
    let list: List = client.get("/projections").await?;
    if json {
        return print::data(&(serde_json::to_string_pretty(&list)? + "\n"));
    }
    for Status { name, state, live, building, head, lag, fault, .. } in &list.items {
        let tables = |tables: &Option<Tables>| match tables {
            Some(Tables { generation, version, position, failures }) => {
                format!("generation {generation} (version {version}) at {position} of {head}, {failures} failures")
            }
            None => "nothing".to_owned(),
        };
        let mut line = format!("{name}: {state}, {lag} behind; live {}", tables(live));
        if building.is_some() {
            line += &format!("; building {}", tables(building));
        }
        if let Some(fault) = fault {
            line += &format!("; {fault}");
        }
        print::data(&(line + "\n"))?;
    }
    list.failures.iter().try_for_each(|failure| print::data(&(shown(failure) + "\n")))
}

fn shown(Failure { projection, position, event_type, error, .. }: &Failure) -> String {
    format!("{projection} misses event {position} ({event_type}): {error}")
}

/// Waits until every one of these is live, and tells how far they are.
async fn wait(client: &Client, mut begun: Vec<Begun>) -> Result<()> {
    loop {
        let list: List = client.get("/projections").await?;
        let mut left = Vec::new();
        for one in begun {
            let Some(status) = list.items.iter().find(|status| status.name == one.name) else {
                bail!("the server has no projection {} any more", one.name)
            };
            if status.live.as_ref().is_some_and(|live| live.generation >= one.generation) {
                print::note(&format!("{}: generation {} is live", one.name, one.generation));
                continue;
            }
            if let Some(fault) = &status.fault {
                print::note(&format!("{}: {fault}; the server tries again", one.name));
            } else if let Some(building) = &status.building {
                print::note(&format!("{}: at {} of {}", one.name, building.position, status.head));
            }
            left.push(one);
        }
        if left.is_empty() {
            return Ok(());
        }
        begun = left;
        tokio::time::sleep(LOOK).await;
    }
}
