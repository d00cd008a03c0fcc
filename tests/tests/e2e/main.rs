//! Everything through the real programs: the control plane as a process, workspaces with their daemons, clients on sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod arrows;
mod backups;
mod command_line;
mod crashes;
mod hostile_commands;
mod hostile_providers;
mod input;
mod memory;
mod neutral;
mod people;
mod policy;
mod queue;
mod readers;
mod record;
mod replicas;
mod resume;
mod shutdown;
mod tokens;
mod views;
