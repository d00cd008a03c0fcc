//! A row that was read.

use super::Value;
use serde::de::DeserializeOwned;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, postgres::PgRow, sqlite::SqliteRow};

/// A row of either database. Columns are named by their place in the SELECT, counted from 0.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("columns", &self.columns()).finish()
    }
}

impl Row {
    pub fn maybe_int(&self, column: usize) -> sqlx::Result<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub fn maybe_text(&self, column: usize) -> sqlx::Result<Option<String>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub fn int(&self, column: usize) -> sqlx::Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| unreadable(column, "it is NULL"))
    }

    pub fn text(&self, column: usize) -> sqlx::Result<String> {
        self.maybe_text(column)?.ok_or_else(|| unreadable(column, "it is NULL"))
    }

    pub fn count(&self, column: usize) -> sqlx::Result<u64> {
        u64::try_from(self.int(column)?).map_err(|error| unreadable(column, error))
    }

    pub fn flag(&self, column: usize) -> sqlx::Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// An id, or anything else with one plain spelling.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: usize) -> sqlx::Result<T> {
        self.text(column)?.parse().map_err(|error: T::Err| unreadable(column, error))
    }

    /// A JSON document.
    pub fn document<T: DeserializeOwned>(&self, column: usize) -> sqlx::Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| unreadable(column, error))
    }

    /// Every column as it is, for comparing rows.
    pub fn values(&self) -> sqlx::Result<Vec<Value>> {
        let is_text = |name: &str| name.eq_ignore_ascii_case("TEXT");
        (0..self.columns())
            .map(|column| {
                let text = match self {
                    Self::Sqlite(row) => is_text(row.try_get_raw(column)?.type_info().name()),
                    Self::Postgres(row) => is_text(row.column(column).type_info().name()),
                };
                Ok(if text { Value::Text(self.maybe_text(column)?) } else { Value::Int(self.maybe_int(column)?) })
            })
            .collect()
    }

    fn columns(&self) -> usize {
        match self {
            Self::Sqlite(row) => row.len(),
            Self::Postgres(row) => row.len(),
        }
    }
}

fn unreadable(column: usize, why: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_string(), source: why.to_string().into() }
}
