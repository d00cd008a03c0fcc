//! How each projection is: what an operator and the metrics see.

use crate::{
    error::ProjectionError,
    failure,
    generation::{self, Generation, Role},
    progress::Progress,
    runner::Shared,
};
use docket_eventlog::{Filter, ReadError};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, atomic::Ordering};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// What is read is kept up to date.
    Live,
    /// The same, and a new generation is being built beside it.
    Rebuilding,
    /// What is read, if there is anything, is of another version and stands still until this version's tables are built.
    Building,
    /// A fault keeps it from going on; it is tried again.
    Waiting,
}

/// The tables that a projection has made, or is making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tables {
    pub generation: u64,
    pub version: u32,
    /// They show every event up to here.
    pub position: u64,
    /// Events that were set aside.
    pub failures: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub name: String,
    /// Of this program.
    pub version: u32,
    pub state: State,
    /// What is read.
    pub live: Option<Tables>,
    /// What is to take its place.
    pub building: Option<Tables>,
    /// The newest event of the log.
    pub head: u64,
    /// How many events what is read does not show yet.
    pub lag: u64,
    /// When the first of these was recorded, in µs since 1970, UTC.
    pub unseen_since: Option<i64>,
    /// Whether this process keeps it up to date; otherwise another one does.
    pub leading: bool,
    /// What keeps this process from going on with it.
    pub fault: Option<String>,
}

pub(crate) async fn of(shared: &Shared, progress: &[Arc<Progress>]) -> Result<Vec<Status>, ProjectionError> {
    let head = shared.log.head().await?;
    let mut tx = shared.database.read().await?;
    let all = generation::all(&mut tx).await?;
    let counts = failure::counts(&mut tx).await?;
    tx.rollback().await?;
    let tables = |generation: &Generation| {
        let of_it = |(projection, number, _): &&(String, u64, u64)| {
            *projection == generation.projection && *number == generation.number
        };
        Tables {
            generation: generation.number,
            version: generation.version,
            position: generation.position,
            failures: counts.iter().find(of_it).map_or(0, |(.., count)| *count),
        }
    };
    let mut statuses = Vec::with_capacity(progress.len());
    for one in progress {
        let of = |role| all.iter().find(|generation| generation.projection == one.name && generation.role == role);
        let live = of(Role::Live).map(tables);
        let building = all.iter().find(|generation| {
            generation.projection == one.name && generation.role == Role::Building && generation.version == one.version
        });
        let reached = one.reached().unwrap_or(0).max(live.as_ref().map_or(0, |live| live.position)).min(head);
        let fault = one.fault.get().or_else(|| one.build_fault.get().filter(|_| building.is_some()));
        let ours = live.as_ref().is_some_and(|live| live.version == one.version);
        statuses.push(Status {
            name: one.name.to_owned(),
            version: one.version,
            state: match (&fault, &building) {
                (Some(_), _) => State::Waiting,
                (None, Some(_)) if ours => State::Rebuilding,
                (None, Some(_)) => State::Building,
                (None, None) if live.is_some() => State::Live,
                (None, None) => State::Building,
            },
            live,
            building: building.map(tables),
            head,
            lag: head - reached,
            unseen_since: recorded_after(shared, reached, head).await?,
            leading: one.leading.load(Ordering::Relaxed),
            fault,
        });
    }
    Ok(statuses)
}

/// When the first event after a position was recorded.
async fn recorded_after(shared: &Shared, position: u64, head: u64) -> Result<Option<i64>, ReadError> {
    if position >= head {
        return Ok(None);
    }
    let page = shared.log.read_all(position, &Filter::all(), 1).await?;
    Ok(page.events.first().map(|event| event.recorded_at))
}
