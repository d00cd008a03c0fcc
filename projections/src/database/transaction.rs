//! A transaction on either database.

use super::{Row, Value};
use crate::generation::Generation;
use futures_util::TryStreamExt;
use sqlx::{Postgres, Sqlite, postgres::PgArguments, query::Query, sqlite::SqliteArguments};

/// A transaction; rolled back when it is dropped without [`Transaction::commit`].
#[derive(Debug)]
pub struct Transaction {
    begun: Begun,
    /// What `@` stands for in statements: the end of the names of one generation's tables.
    suffix: String,
}

#[derive(Debug)]
enum Begun {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(super) fn sqlite(begun: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self { begun: Begun::Sqlite(begun), suffix: String::new() }
    }

    pub(super) fn postgres(begun: sqlx::Transaction<'static, Postgres>) -> Self {
        Self { begun: Begun::Postgres(begun), suffix: String::new() }
    }

    /// From here on its statements mean the tables of this generation.
    pub(crate) fn on(self, generation: &Generation) -> Self {
        Self { suffix: generation.suffix(), ..self }
    }

    /// Whether `?` will not do. On SQLite it is what makes long statements quick: the number of a numbered parameter is looked for
    /// among all of them, each time it is bound.
    pub(super) fn numbers_parameters(&self) -> bool {
        matches!(self.begun, Begun::Postgres(_))
    }

    fn named(&self, sql: &str) -> String {
        sql.replace('@', &self.suffix)
    }

    /// Runs a statement; the number of rows that it touched.
    pub async fn execute(&mut self, sql: &str, values: Vec<Value>) -> sqlx::Result<u64> {
        let sql = self.named(sql);
        match &mut self.begun {
            Begun::Sqlite(tx) => Ok(sqlite(&sql, values).execute(&mut **tx).await?.rows_affected()),
            Begun::Postgres(tx) => Ok(postgres(&sql, values).execute(&mut **tx).await?.rows_affected()),
        }
    }

    pub async fn fetch(&mut self, sql: &str, values: Vec<Value>) -> sqlx::Result<Vec<Row>> {
        let sql = self.named(sql);
        match &mut self.begun {
            Begun::Sqlite(tx) => sqlite(&sql, values).fetch(&mut **tx).map_ok(Row::Sqlite).try_collect().await,
            Begun::Postgres(tx) => postgres(&sql, values).fetch(&mut **tx).map_ok(Row::Postgres).try_collect().await,
        }
    }

    /// The first row, if there is one.
    pub async fn first(&mut self, sql: &str, values: Vec<Value>) -> sqlx::Result<Option<Row>> {
        let sql = self.named(sql);
        match &mut self.begun {
            Begun::Sqlite(tx) => Ok(sqlite(&sql, values).fetch_optional(&mut **tx).await?.map(Row::Sqlite)),
            Begun::Postgres(tx) => Ok(postgres(&sql, values).fetch_optional(&mut **tx).await?.map(Row::Postgres)),
        }
    }

    /// Hands every row to `each` without holding them all.
    pub async fn for_each(&mut self, sql: &str, mut each: impl FnMut(Row) -> sqlx::Result<()> + Send) -> sqlx::Result<()> {
        let sql = self.named(sql);
        match &mut self.begun {
            Begun::Sqlite(tx) => {
                let mut rows = sqlite(&sql, vec![]).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    each(Row::Sqlite(row))?;
                }
            }
            Begun::Postgres(tx) => {
                let mut rows = postgres(&sql, vec![]).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    each(Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    pub async fn commit(self) -> sqlx::Result<()> {
        match self.begun {
            Begun::Sqlite(tx) => tx.commit().await,
            Begun::Postgres(tx) => tx.commit().await,
        }
    }

    pub async fn rollback(self) -> sqlx::Result<()> {
        match self.begun {
            Begun::Sqlite(tx) => tx.rollback().await,
            Begun::Postgres(tx) => tx.rollback().await,
        }
    }
}

fn sqlite(sql: &str, values: Vec<Value>) -> Query<'_, Sqlite, SqliteArguments<'_>> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(int) => query.bind(int),
        Value::Text(text) => query.bind(text),
    })
}

fn postgres(sql: &str, values: Vec<Value>) -> Query<'_, Postgres, PgArguments> {
    values.into_iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Int(int) => query.bind(int),
        Value::Text(text) => query.bind(text),
    })
}
