//! Many rows in one statement.

use super::{Transaction, Value};
use std::fmt::Write as _;

/// Rows in one statement. Only these numbers, so that a connection caches few prepared statements.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

/// Where rows go: a table, its columns, and what to do with a row whose key is there already (`DO NOTHING`,
/// `DO UPDATE SET x = excluded.x`).
#[derive(Clone, Copy, Debug)]
pub struct Upsert {
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub key: &'static [&'static str],
    /// Columns that are replaced.
    pub replace: &'static [&'static str],
    /// Columns that are added to.
    pub add: &'static [&'static str],
}

impl Upsert {
    /// Writes the rows. No two of them may have the same key.
    pub async fn write(&self, tx: &mut Transaction, rows: impl IntoIterator<Item = Vec<Value>>) -> sqlx::Result<()> {
        let mut rows: Vec<_> = rows.into_iter().collect();
        let mut left = rows.drain(..);
        for chunk in CHUNKS {
            while left.len() >= chunk {
                let values: Vec<Value> = left.by_ref().take(chunk).flatten().collect();
                tx.execute(&self.sql(chunk, tx.numbers_parameters()), values).await?;
            }
        }
        Ok(())
    }

    /// Parameters are `?`, or `$1, $2, …` where they have to be numbered.
    fn sql(&self, rows: usize, numbered: bool) -> String {
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", self.table, self.columns.join(", "));
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns.len() {
                let separator = if column == 0 { "" } else { ", " };
                sql.push_str(separator);
                if numbered {
                    // Writing into a string cannot fail.
                    let _ = write!(sql, "${}", row * self.columns.len() + column + 1);
                } else {
                    sql.push('?');
                }
            }
            sql.push(')');
        }
        let replaced = self.replace.iter().map(|column| format!("{column} = excluded.{column}"));
        let added = self.add.iter().map(|column| format!("{column} = {}.{column} + excluded.{column}", self.table));
        let set: Vec<_> = replaced.chain(added).collect();
        let action = if set.is_empty() { "DO NOTHING".to_owned() } else { format!("DO UPDATE SET {}", set.join(", ")) };
        let _ = write!(sql, " ON CONFLICT ({}) {action}", self.key.join(", "));
        sql
    }
}

/// `$from, $from+1, …`: a list of `count` parameters.
#[must_use]
pub fn parameters(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_differ_in_their_parameters_only() {
        let upsert = Upsert { table: "t", columns: &["a", "b", "c"], key: &["a"], replace: &["b"], add: &["c"] };
        assert_eq!(
            upsert.sql(2, true),
            "INSERT INTO t (a, b, c) VALUES ($1, $2, $3), ($4, $5, $6) \
             ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = t.c + excluded.c"
        );
        assert!(upsert.sql(2, false).starts_with("INSERT INTO t (a, b, c) VALUES (?, ?, ?), (?, ?, ?) ON CONFLICT"));
        assert!(Upsert { replace: &[], add: &[], ..upsert }.sql(1, true).ends_with("ON CONFLICT (a) DO NOTHING"));
        assert_eq!(parameters(2, 3), "$2, $3, $4");
    }
}
