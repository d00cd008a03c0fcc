//! `docket config`

use super::print;
use crate::config::{Config, Flags};
use clap::{Args, Subcommand};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the configuration in force, as a file
    Dump,
}

impl Show {
    pub(super) fn execute(&self, flags: &Flags) -> anyhow::Result<ExitCode> {
        match self.command {
            What::Dump => print::data(&Config::load(flags)?.dump()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
