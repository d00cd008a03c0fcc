//! Users and their tokens as rows.

use super::document::UserDocument;
use crate::{
    database::{Transaction, Value},
    error::ApplyError,
    projection::{Projection, Table},
    stream_uuid::stream_uuid,
};
use docket_domain::{ids::UserId, user::UserEvent};
use docket_eventlog::{Filter, Recorded};
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Users;

impl Projection for Users {
    const NAME: &'static str = "users";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[
        Table {
            name: "users",
            key: &["id"],
            columns: "id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, document TEXT NOT NULL",
            indexes: &[],
        },
        Table {
            name: "tokens",
            key: &["id"],
            columns: "id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, expires_at \
                BIGINT, issued_at BIGINT NOT NULL",
            indexes: &[("sha256", "sha256"), ("user", "user_id")],
        },
    ];

    fn filter() -> Filter {
        Filter::all().aggregates(["user"])
    }

    // Accounts change rarely: one event at a time is quick enough.
    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        for event in events {
            apply(tx, event).await?;
        }
        Ok(())
    }
}

async fn apply(tx: &mut Transaction, recorded: &Recorded) -> Result<(), ApplyError> {
    let id = UserId(stream_uuid(recorded)?);
    let event: UserEvent = recorded.decode()?;
    let row = tx.first("SELECT document FROM users@ WHERE id = $1", vec![Value::id(id)]).await?;
    let user = row.map(|row| row.document::<UserDocument>(0)).transpose()?;
    let Some(mut user) = user.or_else(|| UserDocument::created(id, recorded.recorded_at, &event)) else {
        return Err(ApplyError::Unfit("the user was never created".to_owned()));
    };
    user.position = recorded.position;
    user.updated_at = recorded.recorded_at;
    match &event {
        UserEvent::Created { .. } => {}
        UserEvent::RoleChanged { role } => user.role = *role,
        UserEvent::TokenIssued { token_id, name, sha256, expires_at } => {
            let sql = "INSERT INTO tokens@ (id, user_id, name, sha256, expires_at, issued_at) \
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";
            let values = vec![
                Value::id(token_id),
                Value::id(id),
                Value::text(name),
                Value::text(sha256),
                Value::Int(expires_at.map(|at| at.0)),
                Value::int(recorded.recorded_at),
            ];
            tx.execute(sql, values).await?;
        }
        UserEvent::TokenRevoked { token_id } => {
            let sql = "DELETE FROM tokens@ WHERE id = $1 AND user_id = $2";
            tx.execute(sql, vec![Value::id(token_id), Value::id(id)]).await?;
        }
    }
    let sql = "INSERT INTO users@ (id, name, role, document) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, document = excluded.document";
    let values = vec![Value::id(id), Value::text(&user.name), Value::id(user.role), Value::document(&user)?];
    tx.execute(sql, values).await?;
    Ok(())
}
