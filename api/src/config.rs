//! Configuration: a TOML file, over it environment variables `DOCKET_*`, over them flags.

use anyhow::{Context, Result, bail};
use clap::Args;
use docket_eventlog::{DatabaseUrl, Durability, FileStore};
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// What can be set, by flag or environment variable. What is left out comes from the file, else from the defaults.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Folder for the log, the owner's token and workspaces
    #[arg(long, global = true, env = "DOCKET_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file; DATA_DIR/docket.toml by default, if it is there
    #[arg(long, global = true, env = "DOCKET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, global = true, env = "DOCKET_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where the log lies: sqlite:PATH, postgres://… or kurrentdb://…
    #[arg(long, global = true, env = "DOCKET_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Where the views lie, if not beside the log: sqlite:PATH or postgres://…
    #[arg(long, global = true, env = "DOCKET_VIEWS", value_name = "URL", hide_env_values = true)]
    pub views: Option<String>,
    /// How workspaces reach this server, where that is not the listening address
    #[arg(long, global = true, env = "DOCKET_URL", value_name = "URL")]
    pub url: Option<String>,
    /// When an append counts as durable
    #[arg(long, global = true, env = "DOCKET_DURABILITY", value_enum)]
    pub durability: Option<DurabilityChoice>,
    /// Where sealed model calls lie: a folder, or s3://BUCKET/PREFIX in a build with the feature `s3`; DATA_DIR/segments by default.
    /// Several servers on one Postgres need a place that all of them reach
    #[arg(long, global = true, env = "DOCKET_SEGMENTS", value_name = "PLACE")]
    pub segments: Option<String>,
    /// Move the tokens of model calls that ended so long ago (30d, 12h) out of the database into compressed segments; never by default
    #[arg(long, global = true, env = "DOCKET_SEAL_AFTER", value_name = "AGE")]
    pub seal_after: Option<String>,
    /// The daemon's program; `docket-workspaced` beside this program by default
    #[arg(long, global = true, env = "DOCKET_WORKSPACED", value_name = "FILE")]
    pub workspaced: Option<PathBuf>,
    /// Run workspaces of the `local` template even where they cannot be confined
    #[arg(long, global = true, env = "DOCKET_ALLOW_UNCONFINED", num_args = 0..=1, default_missing_value = "true")]
    pub allow_unconfined: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DurabilityChoice {
    /// On the disk before anyone sees it
    #[default]
    Sync,
    /// With the operating system: a power cut may lose the last instant
    Relaxed,
}

/// The effective configuration; `docket config dump` prints it in the form of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub database: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub durability: DurabilityChoice,
    pub segments: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaced: Option<PathBuf>,
    pub allow_unconfined: bool,
}

/// The file: every field may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    database: Option<String>,
    views: Option<String>,
    url: Option<String>,
    durability: Option<DurabilityChoice>,
    segments: Option<String>,
    seal_after: Option<String>,
    workspaced: Option<PathBuf>,
    allow_unconfined: Option<bool>,
}

const DEFAULT_DATA_DIR: &str = ".docket";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

impl Config {
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn load(flags: &Flags) -> Result<Self> {
        let folder = flags.data_dir.clone().unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let file = match &flags.config {
            Some(path) => read(path)?,
            None if folder.join("docket.toml").exists() => read(&folder.join("docket.toml"))?,
            None => File::default(),
        };
        let data_dir = flags.data_dir.clone().or(file.data_dir).unwrap_or(folder);
        let data_dir = std::path::absolute(&data_dir).with_context(|| format!("data_dir {}", data_dir.display()))?;
        let database = flags.database.clone().or(file.database);
        let segments = flags.segments.clone().or(file.segments);
        Ok(Self {
            listen: flags.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
            database: database.unwrap_or_else(|| format!("sqlite:{}", data_dir.join("docket.db").display())),
            views: flags.views.clone().or(file.views),
            url: flags.url.clone().or(file.url),
            durability: flags.durability.or(file.durability).unwrap_or_default(),
            segments: segments.unwrap_or_else(|| data_dir.join("segments").display().to_string()),
            seal_after: flags.seal_after.clone().or(file.seal_after),
            workspaced: flags.workspaced.clone().or(file.workspaced),
            allow_unconfined: flags.allow_unconfined.or(file.allow_unconfined).unwrap_or(false),
            data_dir,
        })
    }

    /// # Errors
    /// When the text names no supported database.
    pub fn database_url(&self) -> Result<DatabaseUrl> {
        self.database.parse().context("database")
    }

    /// The place of segments. A folder is made if need be.
    ///
    /// # Errors
    /// When the text names no supported place, or the folder cannot be made.
    pub fn segment_store(&self) -> Result<FileStore> {
        FileStore::open(&self.segments).context("segments")
    }

    /// The age at which model calls are sealed, if they are.
    ///
    /// # Errors
    /// When the text is no duration.
    pub fn seal_after(&self) -> Result<Option<Duration>> {
        self.seal_after.as_deref().map(|age| humantime::parse_duration(age).context("seal_after")).transpose()
    }

    /// The views' database: the one that was named, or a file beside the log's, or the same server.
    ///
    /// # Errors
    /// When the text names no database that can hold views, or there is none for a log in KurrentDB.
    pub fn views_url(&self) -> Result<DatabaseUrl> {
        let database = self.database_url()?;
        let Some(views) = &self.views else {
            return match database {
                DatabaseUrl::Sqlite(path) => Ok(DatabaseUrl::Sqlite(path.with_extension("views.db"))),
                DatabaseUrl::Postgres(_) => Ok(database),
                DatabaseUrl::Kurrentdb(_) => bail!("KurrentDB holds no views: name a place for them with --views"),
            };
        };
        let views = views.parse().context("views")?;
        if matches!(views, DatabaseUrl::Kurrentdb(_)) {
            bail!("KurrentDB holds no views: --views takes sqlite:PATH or postgres://…");
        }
        if matches!(views, DatabaseUrl::Sqlite(_)) && views == database {
            bail!("--views names the log's own file, which nobody else may write");
        }
        Ok(views)
    }

    /// The configuration as a file; passwords are not shown.
    ///
    /// # Errors
    /// When the database's URL is none.
    pub fn dump(&self) -> Result<String> {
        let views = self.views.is_some().then(|| self.views_url()).transpose()?;
        let (database, views) = (self.database_url()?.to_string(), views.map(|views| views.to_string()));
        let shown = Self { database, views, ..self.clone() };
        Ok(toml::to_string(&shown)?)
    }

    #[must_use]
    pub fn log_durability(&self) -> Durability {
        match self.durability {
            DurabilityChoice::Sync => Durability::Sync,
            DurabilityChoice::Relaxed => Durability::Relaxed,
        }
    }
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("docket.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\ndurability = \"relaxed\"\n").unwrap();
        let flags =
            Flags { data_dir: Some(folder.path().into()), listen: Some("127.0.0.1:2".parse().unwrap()), ..Flags::default() };
        let config = Config::load(&flags).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.durability, DurabilityChoice::Relaxed);
        assert!(config.database.ends_with("docket.db"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("docket.toml"), "listn = 1\n").unwrap();
        let flags = Flags { data_dir: Some(folder.path().into()), ..Flags::default() };
        let error = format!("{:#}", Config::load(&flags).unwrap_err());
        assert!(error.contains("listn"), "{error}");
    }

    #[test]
    fn views_lie_where_they_can() {
        let views = |database: &str, views: Option<&str>| {
            let flags = Flags { database: Some(database.into()), views: views.map(Into::into), ..Flags::default() };
            Config::load(&flags).unwrap().views_url().map_err(|error| format!("{error:#}"))
        };
        assert_eq!(views("sqlite:/a/b.db", None), Ok(DatabaseUrl::Sqlite("/a/b.views.db".into())));
        assert_eq!(views("postgres://h/d", None), Ok(DatabaseUrl::Postgres("postgres://h/d".into())));
        assert!(views("kurrentdb://h", None).unwrap_err().contains("--views"));
        for log in ["kurrentdb://h", "postgres://h/d", "sqlite:/a/b.db"] {
            assert_eq!(views(log, Some("sqlite:/v.db")), Ok(DatabaseUrl::Sqlite("/v.db".into())));
            assert_eq!(views(log, Some("postgres://h/v")), Ok(DatabaseUrl::Postgres("postgres://h/v".into())));
            assert!(views(log, Some("kurrentdb://h")).unwrap_err().contains("sqlite:PATH"));
            assert!(views(log, Some("mysql://h")).is_err());
        }
        assert!(views("sqlite:/a/b.db", Some("sqlite:/a/b.db")).unwrap_err().contains("own file"));
    }

    #[test]
    fn a_dump_can_be_read_again_and_shows_no_password() {
        let url = || Some("postgres://u:secret@h/d".to_owned());
        let flags = Flags { database: url(), views: url(), ..Flags::default() };
        let dump = Config::load(&flags).unwrap().dump().unwrap();
        assert!(!dump.contains("secret"), "{dump}");
        toml::from_str::<File>(&dump).unwrap();
    }
}
