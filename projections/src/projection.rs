//! What a projection is.

use crate::{database::Transaction, error::ApplyError};
use docket_eventlog::{Filter, Recorded};
use std::{future::Future, sync::Arc};

/// Turns events into rows of its own tables.
///
/// Its rows are a function of the events alone, whatever the batches and restarts: no clock, no randomness, no reading of
/// other views. The runner owns the transaction, the checkpoint, batching and the failure policy.
pub trait Projection: Default + Send + 'static {
    const NAME: &'static str;
    /// Part of the tables' names. A changed projection gets a new version and builds its tables beside the old ones.
    const VERSION: u32;
    const TABLES: &'static [Table];

    /// The events it wants.
    fn filter() -> Filter;

    /// Applies events in order. What it keeps in memory has to be written before it returns.
    fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> impl Future<Output = Result<(), ApplyError>> + Send;

    /// Forgets what it keeps in memory, because a transaction was taken back.
    fn reset(&mut self) {}
}

/// A table of a projection.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    /// The columns that identify a row.
    pub key: &'static [&'static str],
    /// Statements that make it where it is missing, indexes included.
    pub ddl: &'static [&'static str],
}
