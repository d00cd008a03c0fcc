//! Where the log lies.

use std::{fmt, path::PathBuf, str::FromStr};

/// The database that holds a log. Neither `Debug` nor `Display` shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:PATH`: a file on this machine, used by one process at a time.
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`, as libpq writes it; shared by any number of processes.
    Postgres(String),
    /// `kurrentdb://…` or `kurrentdb+discover://…`, or the older `esdb://…`, as KurrentDB's clients write it; shared by any number
    /// of processes. Needs a build with the feature `kurrentdb`.
    Kurrentdb(String),
}

/// The schemes that KurrentDB's connection strings begin with.
const KURRENTDB: [&str; 4] = ["kurrentdb://", "kurrentdb+discover://", "esdb://", "esdb+discover://"];

/// The text names no database that Docket can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a database that Docket supports: use sqlite:PATH, postgres://… or kurrentdb://…")]
pub struct UnsupportedUrl {
    shown: String,
}

impl FromStr for DatabaseUrl {
    type Err = UnsupportedUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        if KURRENTDB.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Kurrentdb(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            // A database in memory could be neither durable nor shared by the reading connections.
            Some(path) if !path.is_empty() && !path.contains(":memory:") => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(UnsupportedUrl { shown: without_password(text) }),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) | Self::Kurrentdb(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// The URL with `***` in place of a password, be it before the host or in the query. Works on text that is no valid URL too, and
/// then rather hides too much.
fn without_password(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let (scheme, rest) = base.split_once("://").map_or(("", base), |(scheme, rest)| (scheme, rest));
    let mut shown = String::from(scheme);
    if rest.len() < base.len() {
        shown.push_str("://");
    }
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let (name, password) = user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)));
            shown.push_str(name);
            shown.push_str(if password.is_some() { ":***@" } else { "@" });
            shown.push_str(host);
        }
        None => shown.push_str(rest),
    }
    if let Some(query) = query {
        let fields = query.split('&').map(|field| match field.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=***"),
            _ => field.to_owned(),
        });
        shown.push('?');
        shown.push_str(&fields.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_its_database() {
        assert_eq!("sqlite:/a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite://b.db".parse(), Ok(DatabaseUrl::Sqlite("b.db".into())));
        assert_eq!("postgres://h/d".parse(), Ok(DatabaseUrl::Postgres("postgres://h/d".into())));
        assert_eq!("postgresql://h/d".parse(), Ok(DatabaseUrl::Postgres("postgresql://h/d".into())));
        for url in ["kurrentdb://h:2113?tls=false", "kurrentdb+discover://h", "esdb://a:1,b:2"] {
            assert_eq!(url.parse(), Ok(DatabaseUrl::Kurrentdb(url.into())));
        }
        for unsupported in ["kurrentdb:h", "mysql://u:secret@h/d", "sqlite:", "sqlite::memory:", "", "b.db"] {
            let error = unsupported.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(error.contains("sqlite:PATH, postgres://…"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn shows_no_password() {
        for url in [
            "postgres://user:sec@ret@host:5432/db?sslmode=require",
            "postgres://user:secret@host/db",
            "kurrentdb://user:secret@host:2113,other:2113?tls=true",
            "postgresql://host/db?user=u&password=secret&sslPassword=secret",
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(!shown.contains("sec") && shown.contains("host") && shown.contains("***"), "{shown}");
            }
        }
    }
}
