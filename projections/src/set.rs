//! Which projections there are.

use crate::{
    audit_log::AuditLog,
    chat::Chats,
    checkpoint,
    database::Database,
    progress::Progress,
    projection::{Projection, Table},
    rebuild::{self, RebuildError, Rebuilt},
    runner::{self, Shared},
    templates::Templates,
    usage::Usage,
    users::Users,
    workspaces::Workspaces,
};
use docket_eventlog::Log;
use futures_util::future::BoxFuture;
use std::sync::Arc;

type Run = fn(Shared, Arc<Progress>) -> BoxFuture<'static, ()>;
type Rebuild = for<'a> fn(&'a Log, &'a Database, u64) -> BoxFuture<'a, Result<Rebuilt, RebuildError>>;

/// Projections that are run together.
#[derive(Clone, Debug, Default)]
pub struct Set {
    pub(crate) members: Vec<Member>,
}

/// A projection without its type.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) tables: &'static [Table],
    pub(crate) run: Run,
    pub(crate) rebuild: Rebuild,
}

impl Set {
    /// All of Docket's.
    #[must_use]
    pub fn standard() -> Self {
        Self::default()
            .with::<Chats>()
            .with::<AuditLog>()
            .with::<Usage>()
            .with::<Workspaces>()
            .with::<Templates>()
            .with::<Users>()
    }

    #[must_use]
    pub fn with<P: Projection>(mut self) -> Self {
        self.members.push(Member {
            name: P::NAME,
            version: P::VERSION,
            tables: P::TABLES,
            run: |shared, progress| Box::pin(runner::run::<P>(shared, progress)),
            rebuild: |log, database, through| Box::pin(rebuild::project::<P>(log, database, through)),
        });
        self
    }

    /// Only those of these names.
    #[must_use]
    pub fn only(mut self, names: &[&str]) -> Self {
        self.members.retain(|member| names.contains(&member.name));
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.iter().map(|member| member.name)
    }

    /// Makes the tables that are missing.
    pub(crate) async fn prepare(&self, database: &Database) -> sqlx::Result<()> {
        let tables = self.members.iter().flat_map(|member| member.tables).flat_map(|table| table.ddl);
        let statements: Vec<_> = checkpoint::DDL.iter().chain(tables).copied().collect();
        database.create(&statements).await
    }
}
