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
                tx.execute(&self.sql(chunk), values).await?;
            }
        }
        Ok(())
    }

    fn sql(&self, rows: usize) -> String {
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", self.table, self.columns.join(", "));
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns.len() {
                let separator = if column == 0 { "" } else { ", " };
                // Writing into a string cannot fail.
                let _ = write!(sql, "{separator}${}", row * self.columns.len() + column + 1);
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
    fn one_statement_text_for_both_databases() {
        let upsert = Upsert { table: "t", columns: &["a", "b", "c"], key: &["a"], replace: &["b"], add: &["c"] };
        assert_eq!(
            upsert.sql(2),
            "INSERT INTO t (a, b, c) VALUES ($1, $2, $3), ($4, $5, $6) \
             ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = t.c + excluded.c"
        );
        assert!(Upsert { replace: &[], add: &[], ..upsert }.sql(1).ends_with("ON CONFLICT (a) DO NOTHING"));
        assert_eq!(parameters(2, 3), "$2, $3, $4");
    }
}
