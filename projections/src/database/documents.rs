//! Documents by id.

use super::{Transaction, Value, rows::parameters};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const CHUNK: usize = 256;

/// Those of the documents that are there, from a table with the columns `id` and `document`.
pub async fn documents<D: DeserializeOwned>(
    tx: &mut Transaction,
    table: &str,
    ids: BTreeSet<Uuid>,
) -> sqlx::Result<BTreeMap<Uuid, D>> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(CHUNK) {
        let sql = format!("SELECT id, document FROM {table} WHERE id IN ({})", parameters(1, ids.len()));
        for row in tx.fetch(&sql, ids.iter().map(Value::id).collect()).await? {
            found.insert(row.parsed(0)?, row.document(1)?);
        }
    }
    Ok(found)
}
