//! The tables of the log, as numbered SQL files for SQLite and Postgres. The tables of the views are not here: the projections
//! make them, in a database of their own, because they can be dropped and rebuilt at any time, and the log cannot.
//!
//! *Invariant:* forward only. A file that was released is never edited; a change is a new file with the next number.
//! *Invariant:* an event row is never updated, and never deleted unless a recorded segment has the event; triggers refuse it on both
//! databases.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::borrow::Cow;

/// The migrations of a log on SQLite.
#[must_use]
pub fn sqlite() -> Migrator {
    migrator(&[
        (1, "log", include_str!("../sqlite/0001_log.sql")),
        (2, "snapshots", include_str!("../sqlite/0002_snapshots.sql")),
        (3, "runs", include_str!("../sqlite/0003_runs.sql")),
        (10, "segments", include_str!("../sqlite/0010_segments.sql")),
    ])
}

/// The migrations of a log on Postgres. They take sqlx's advisory lock, so several processes may start at once.
#[must_use]
pub fn postgres() -> Migrator {
    migrator(&[
        (1, "log", include_str!("../postgres/0001_log.sql")),
        (2, "guards", include_str!("../postgres/0002_guards.sql")),
        (3, "append", include_str!("../postgres/0003_append.sql")),
        (4, "snapshots", include_str!("../postgres/0004_snapshots.sql")),
        (5, "lean", include_str!("../postgres/0005_lean.sql")),
        (6, "append", include_str!("../postgres/0006_append.sql")),
        (10, "segments", include_str!("../postgres/0010_segments.sql")),
    ])
}

fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = files.iter().map(|&(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, Cow::Borrowed(sql), false)
    });
    Migrator { migrations: migrations.collect(), ..Migrator::DEFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[tokio::test]
    async fn sqlite_from_scratch_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("log.db").display());
        for _ in 0..2 {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlite().run_direct(&mut connection).await.unwrap();
            let (events,): (i64,) = sqlx::query_as("SELECT count(*) FROM events").fetch_one(&mut connection).await.unwrap();
            assert_eq!(events, 0);
        }
    }

    #[test]
    fn numbers_are_in_order() {
        for migrator in [sqlite(), postgres()] {
            assert!(migrator.iter().map(|migration| migration.version).is_sorted_by(|before, after| before < after));
        }
    }
}
