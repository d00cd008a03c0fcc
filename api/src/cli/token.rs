//! `docket token`

use super::{client::Client, print};
use crate::config::Flags;
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Make a token and print it; it is shown once
    Create {
        /// What it is for
        name: String,
        /// Days until it expires; never by default
        #[arg(long)]
        days: Option<u32>,
    },
    /// List your tokens
    List,
    /// Revoke a token
    Revoke { id: uuid::Uuid },
}

impl Token {
    pub(super) async fn execute(self, flags: &Flags) -> Result<ExitCode> {
        let client = Client::connect(flags).await?;
        match self.command {
            Which::Create { name, days } => {
                let made: Value = client.post("/tokens", &json!({ "name": name, "expires_in_days": days })).await?;
                print::data(&format!("{}\n", made["token"].as_str().unwrap_or_default()))?;
            }
            Which::List => {
                let tokens: Value = client.get("/tokens").await?;
                for token in tokens["items"].as_array().into_iter().flatten() {
                    print::data(&format!("{} {}\n", token["id"].as_str().unwrap_or_default(), token["name"]))?;
                }
            }
            Which::Revoke { id } => client.delete(&format!("/tokens/{id}")).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
