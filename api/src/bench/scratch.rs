//! Databases that exist for one measurement.

use anyhow::{Context, Result};
use docket_eventlog::DatabaseUrl;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// An empty database, and a folder for whatever belongs to it.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: DatabaseUrl,
    pub(super) folder: PathBuf,
    /// Its name on Postgres.
    name: Option<String>,
}

impl Database {
    /// Where the views of its log lie.
    pub(super) fn views(&self) -> DatabaseUrl {
        match &self.url {
            DatabaseUrl::Sqlite(_) => DatabaseUrl::Sqlite(self.folder.join("views.db")),
            postgres => postgres.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    postgres: Option<String>,
    made: Mutex<BTreeSet<String>>,
}

impl Scratch {
    /// Makes the folder. `postgres` is the URL of a server where the user may create databases.
    pub(super) fn new(postgres: Option<String>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("docket-bench-").tempdir().context("a temporary folder")?;
        Ok(Self { folder, postgres, made: Mutex::default() })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn backends(&self) -> impl Iterator<Item = Backend> {
        std::iter::once(Backend::Sqlite).chain(self.postgres.is_some().then_some(Backend::Postgres))
    }

    pub(super) async fn database(&self, backend: Backend) -> Result<Database> {
        let name = format!("docket_bench_{}", Uuid::now_v7().simple());
        let folder = self.folder.path().join(&name);
        std::fs::create_dir(&folder)?;
        let Some(server) = self.postgres.as_deref().filter(|_| backend == Backend::Postgres) else {
            let url = DatabaseUrl::Sqlite(folder.join("log.db"));
            return Ok(Database { url, folder, name: None });
        };
        self.made().insert(name.clone());
        execute(server, &format!("CREATE DATABASE {name}")).await?;
        // What stands in the query goes before the path.
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = DatabaseUrl::Postgres(format!("{server}{separator}dbname={name}"));
        Ok(Database { url, folder, name: Some(name) })
    }

    /// Removes a database; nobody may use it any more.
    pub(super) async fn remove(&self, database: Database) -> Result<()> {
        std::fs::remove_dir_all(&database.folder)?;
        let (Some(server), Some(name)) = (&self.postgres, database.name) else { return Ok(()) };
        execute(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        self.made().remove(&name);
        Ok(())
    }

    /// Removes what is left on the server. The folder goes with this value.
    pub(super) async fn clean(&self) -> Result<()> {
        let left: Vec<String> = self.made().iter().cloned().collect();
        for name in left {
            if let Some(server) = &self.postgres {
                execute(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            }
            self.made().remove(&name);
        }
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn execute(server: &str, statement: &str) -> Result<()> {
    let options: PgConnectOptions = server.parse().context("--postgres")?;
    let mut connection: PgConnection = options.connect().await.context("the Postgres server")?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
