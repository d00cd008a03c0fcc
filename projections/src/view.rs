//! The way from a question to the tables that answer it.

use crate::{
    database::{Database, Transaction},
    error::ProjectionError,
    generation,
};

/// A projection as its readers have it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) database: Database,
    pub(crate) projection: &'static str,
}

impl View {
    /// Begins a transaction whose statements mean the tables of the live generation; with its checkpoint. Both are of one state of
    /// the database: whatever becomes live meanwhile, this goes on reading what it began with.
    pub(crate) async fn read_at(&self) -> Result<(Transaction, u64), ProjectionError> {
        let mut tx = self.database.read().await?;
        let live = generation::live(&mut tx, self.projection).await?;
        let live = live.ok_or(ProjectionError::Building { projection: self.projection })?;
        Ok((tx.on(&live), live.position))
    }

    pub(crate) async fn read(&self) -> Result<Transaction, ProjectionError> {
        Ok(self.read_at().await?.0)
    }
}
