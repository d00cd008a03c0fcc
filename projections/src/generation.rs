//! Generations: each is a whole set of a projection's tables, made from position 0 on, with its own checkpoint.
//!
//! One generation of a projection is live, and is what readers get. Another may be built beside it, because the projection was
//! changed (its version) or because somebody asked. When it shows no less than the live one, one transaction makes it live and
//! retires the other, whose tables are then dropped. A row here says all of it.
//!
//! *Invariant:* at most one generation is live, and readers never see the view step back: it only becomes live when its
//! checkpoint is not behind the live one's, which nobody can move meanwhile.

use crate::database::{Database, Row, Transaction, Value};
use std::str::FromStr;

pub(crate) const DDL: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS generations (
        projection TEXT NOT NULL, generation BIGINT NOT NULL, version BIGINT NOT NULL, role TEXT NOT NULL,
        position BIGINT NOT NULL, PRIMARY KEY (projection, generation))",
    "CREATE UNIQUE INDEX IF NOT EXISTS generations_live ON generations (projection) WHERE role = 'live'",
    "CREATE UNIQUE INDEX IF NOT EXISTS generations_building ON generations (projection, version) WHERE role = 'building'",
];

const SELECT: &str = "SELECT projection, generation, version, role, position FROM generations";

#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Role {
    Building,
    /// The one that is read.
    Live,
    /// Not read by anybody who begins now; its tables are to be dropped.
    Retired,
    /// Its tables are gone. The row stays, so that its number is never given again.
    Dropped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) projection: String,
    /// From 1; never given twice.
    pub(crate) number: u64,
    /// Of the projection that makes it.
    pub(crate) version: u32,
    pub(crate) role: Role,
    /// The checkpoint: its rows show every event up to here.
    pub(crate) position: u64,
}

impl Generation {
    /// What stands for `@` in the names of its tables: `chats@` is `chats_v1_g2`.
    pub(crate) fn suffix(&self) -> String {
        format!("_v{}_g{}", self.version, self.number)
    }

    fn key(&self) -> Vec<Value> {
        vec![Value::text(&self.projection), Value::count(self.number)]
    }

    /// Moves the checkpoint on. False when it is not where we left it, or the generation is not what it was any more: somebody
    /// else is at work.
    pub(crate) async fn advance(&self, tx: &mut Transaction, to: u64) -> sqlx::Result<bool> {
        let sql =
            "UPDATE generations SET position = $3 WHERE projection = $1 AND generation = $2 AND position = $4 AND role = $5";
        let mut values = self.key();
        values.extend([Value::count(to), Value::count(self.position), Value::id(self.role)]);
        Ok(tx.execute(sql, values).await? == 1)
    }

    /// Makes this generation the live one, if it shows no less than the one that is. False when it is behind, or is not being
    /// built any more.
    pub(crate) async fn make_live(&self, database: &Database) -> sqlx::Result<bool> {
        let mut tx = database.begin().await?;
        let sql = "UPDATE generations SET role = 'retired' WHERE projection = $1 AND role = 'live' AND position <= $2";
        tx.execute(sql, vec![Value::text(&self.projection), Value::count(self.position)]).await?;
        let sql = "UPDATE generations SET role = 'live' WHERE projection = $1 AND generation = $2 AND position = $3 \
                   AND role = 'building' AND NOT EXISTS (SELECT 1 FROM generations l WHERE l.projection = $4 AND l.role = 'live')";
        let mut values = self.key();
        values.extend([Value::count(self.position), Value::text(&self.projection)]);
        if tx.execute(sql, values).await? == 1 {
            tx.commit().await?;
            return Ok(true);
        }
        tx.rollback().await?;
        Ok(false)
    }

    /// Says that nobody is to go on with it.
    pub(crate) async fn retire(&self, database: &Database) -> sqlx::Result<()> {
        let mut tx = database.begin().await?;
        let sql = "UPDATE generations SET role = 'retired' WHERE projection = $1 AND generation = $2 AND role = $3";
        let mut values = self.key();
        values.push(Value::id(self.role));
        tx.execute(sql, values).await?;
        tx.commit().await
    }

    /// Says that its tables are gone.
    pub(crate) async fn dropped(&self, tx: &mut Transaction) -> sqlx::Result<()> {
        let sql = "UPDATE generations SET role = 'dropped' WHERE projection = $1 AND generation = $2";
        tx.execute(sql, self.key()).await.map(drop)
    }
}

fn generation(row: &Row) -> sqlx::Result<Generation> {
    let version = u32::try_from(row.int(2)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let role = Role::from_str(&row.text(3)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Generation { projection: row.text(0)?, number: row.count(1)?, version, role, position: row.count(4)? })
}

/// All that still have tables, in order.
pub(crate) async fn all(tx: &mut Transaction) -> sqlx::Result<Vec<Generation>> {
    let rows = tx.fetch(&format!("{SELECT} WHERE role <> 'dropped' ORDER BY projection, generation"), vec![]).await?;
    rows.iter().map(generation).collect()
}

/// The one that is read.
pub(crate) async fn live(tx: &mut Transaction, projection: &str) -> sqlx::Result<Option<Generation>> {
    let row = tx.first(&format!("{SELECT} WHERE projection = $1 AND role = 'live'"), vec![Value::text(projection)]).await?;
    row.as_ref().map(generation).transpose()
}

/// Has a generation built: the one that is being built for this version already, or a new one.
pub(crate) async fn begin(database: &Database, projection: &str, version: u32) -> sqlx::Result<Generation> {
    let building = insert(database, projection, version, "building").await?;
    building.ok_or(sqlx::Error::RowNotFound)
}

/// Has one built if there is no live one of this version.
pub(crate) async fn begin_first(database: &Database, projection: &str, version: u32) -> sqlx::Result<()> {
    insert(database, projection, version, "live").await.map(drop)
}

/// Adds one, unless there is one of this version in this role or being built; gives the one that is being built.
async fn insert(database: &Database, projection: &str, version: u32, unless: &str) -> sqlx::Result<Option<Generation>> {
    let mut tx = database.begin().await?;
    database.alone_on(&mut tx, "generations").await?;
    let key = || [Value::text(projection), Value::int(version.into())];
    let sql = "INSERT INTO generations (projection, generation, version, role, position) \
               SELECT $1, COALESCE(MAX(generation), 0) + 1, $2, 'building', 0 FROM generations WHERE projection = $3 \
               HAVING NOT EXISTS (SELECT 1 FROM generations o WHERE o.projection = $4 AND o.version = $5 AND o.role = $6) \
               ON CONFLICT DO NOTHING";
    let mut values = key().to_vec();
    values.push(Value::text(projection));
    values.extend(key());
    values.push(Value::text(unless));
    tx.execute(sql, values).await?;
    let sql = format!("{SELECT} WHERE projection = $1 AND version = $2 AND role = 'building'");
    let row = tx.first(&sql, key().to_vec()).await?;
    tx.commit().await?;
    row.as_ref().map(generation).transpose()
}
