//! What a projection is.

use crate::{
    database::{Database, Transaction},
    error::ApplyError,
    generation::Generation,
};
use docket_eventlog::{Filter, Recorded};
use std::{future::Future, sync::Arc};

/// Turns events into rows of its own tables.
///
/// Its rows are a function of the events alone, whatever the batches and restarts: no clock, no randomness, no reading of
/// other views. The runner owns the transaction, the checkpoint, batching and the failure policy. What it keeps in memory is
/// thrown away, and it begins with its default, whenever a transaction was taken back.
pub trait Projection: Default + Send + 'static {
    const NAME: &'static str;
    /// Raised whenever the same events are to make other rows. The new version's tables are built beside those of the old one,
    /// which are read until then: so reads have to make do with the tables of both, or fail.
    const VERSION: u32;
    const TABLES: &'static [Table];

    /// The events it wants.
    fn filter() -> Filter;

    /// Applies events in order. What it keeps in memory has to be written before it returns. In its statements, `@` ends the name
    /// of a table.
    fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

/// A table of a projection.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// In statements it is followed by `@`, which stands for the generation.
    pub name: &'static str,
    /// The columns that identify a row.
    pub key: &'static [&'static str],
    /// The columns as they are declared, the primary key included.
    pub columns: &'static str,
    /// Indexes: what they are by, and their columns. They are made when the rows are there, which is quicker.
    pub indexes: &'static [(&'static str, &'static str)],
}

impl Table {
    fn make(&self) -> String {
        format!("CREATE TABLE IF NOT EXISTS {}@ ({})", self.name, self.columns)
    }

    fn make_indexes(&self) -> impl Iterator<Item = String> {
        let name = self.name;
        self.indexes.iter().map(move |(by, on)| format!("CREATE INDEX IF NOT EXISTS {name}@_by_{by} ON {name}@ ({on})"))
    }
}

/// Makes the tables of a generation, without their indexes.
pub(crate) async fn make_tables(tables: &[Table], database: &Database, generation: &Generation) -> sqlx::Result<()> {
    let statements: Vec<_> = tables.iter().map(Table::make).collect();
    database.create(&statements, Some(generation)).await
}

/// Makes the indexes that are missing, each in a transaction of its own: on SQLite nobody else can write meanwhile.
pub(crate) async fn make_indexes(tables: &[Table], database: &Database, generation: &Generation) -> sqlx::Result<()> {
    for statement in tables.iter().flat_map(Table::make_indexes) {
        database.create(&[statement], Some(generation)).await?;
    }
    Ok(())
}

/// Drops the tables of a generation, in a transaction that is on it.
pub(crate) async fn drop_tables(tables: &[Table], tx: &mut Transaction) -> sqlx::Result<()> {
    for table in tables {
        tx.execute(&format!("DROP TABLE IF EXISTS {}@", table.name), vec![]).await?;
    }
    Ok(())
}
