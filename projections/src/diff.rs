//! Comparing two databases of views, row for row and byte for byte.

use crate::{
    database::{Database, Transaction, Value},
    generation::{self, Generation},
    projection::Table,
    set::Set,
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// A row that is not the same in both, or only in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub projection: &'static str,
    pub table: &'static str,
    /// The values of the row's key.
    pub key: Vec<Value>,
    pub kind: DifferenceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    OnlyInFirst,
    OnlyInSecond,
    /// The key is in both, another column differs.
    Differs,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Rows of the first database.
    pub rows: u64,
    pub differences: Vec<Difference>,
    /// Projections whose checkpoints are not the same: (name, first, second). Their rows can only be compared once they are.
    pub checkpoints: Vec<(&'static str, u64, u64)>,
}

/// Compares what readers get of every table of the set. Each database is read in one state.
///
/// # Errors
/// When one of them cannot be read.
pub async fn diff(set: &Set, first: &Database, second: &Database) -> sqlx::Result<Comparison> {
    let (mut first, mut second) = (first.read().await?, second.read().await?);
    let mut comparison = Comparison::default();
    for member in &set.members {
        let (a, b) = (generation::live(&mut first, member.name).await?, generation::live(&mut second, member.name).await?);
        let position = |generation: &Option<Generation>| generation.as_ref().map_or(0, |generation| generation.position);
        if position(&a) != position(&b) {
            comparison.checkpoints.push((member.name, position(&a), position(&b)));
        }
        if let Some(a) = &a {
            first = first.on(a);
        }
        if let Some(b) = &b {
            second = second.on(b);
        }
        for table in member.tables {
            let ours = rows(&mut first, table).await?;
            let mut theirs = rows(&mut second, table).await?;
            comparison.rows += ours.len() as u64;
            let mut note = |key, kind| {
                comparison.differences.push(Difference { projection: member.name, table: table.name, key, kind });
            };
            for (key, hash) in ours {
                match theirs.remove(&key) {
                    None => note(key, DifferenceKind::OnlyInFirst),
                    Some(other) if other != hash => note(key, DifferenceKind::Differs),
                    Some(_) => {}
                }
            }
            theirs.into_keys().for_each(|key| note(key, DifferenceKind::OnlyInSecond));
        }
    }
    Ok(comparison)
}

/// Each row's key, with a hash of all of its columns: tables can be larger than the memory.
async fn rows(tx: &mut Transaction, table: &Table) -> sqlx::Result<BTreeMap<Vec<Value>, u64>> {
    let mut rows = BTreeMap::new();
    let keys = table.key.len();
    tx.for_each(&format!("SELECT {}, t.* FROM {}@ t", table.key.join(", "), table.name), |row| {
        let mut values = row.values()?;
        let rest = values.split_off(keys);
        let mut hasher = DefaultHasher::new();
        rest.hash(&mut hasher);
        rows.insert(values, hasher.finish());
        Ok(())
    })
    .await?;
    Ok(rows)
}
