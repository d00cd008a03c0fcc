//! What may be asked of the users.

use super::document::{TokenDocument, UserDocument};
use crate::{
    database::{Row, Value},
    error::ProjectionError,
    view::View,
};
use docket_domain::ids::UserId;

const TOKENS: &str = "SELECT t.id, t.user_id, t.name, u.role, t.expires_at, t.issued_at \
                      FROM tokens@ t JOIN users@ u ON u.id = t.user_id";

/// Reads users and tokens.
#[derive(Clone, Debug)]
pub struct UserReads {
    pub(crate) view: View,
}

impl UserReads {
    /// By name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self) -> Result<Vec<UserDocument>, ProjectionError> {
        let rows = self.view.read().await?.fetch("SELECT document FROM users@ ORDER BY name, id", vec![]).await?;
        Ok(rows.iter().map(|row| row.document(0)).collect::<sqlx::Result<_>>()?)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn get(&self, id: UserId) -> Result<Option<UserDocument>, ProjectionError> {
        let mut tx = self.view.read().await?;
        let row = tx.first("SELECT document FROM users@ WHERE id = $1", vec![Value::id(id)]).await?;
        Ok(row.map(|row| row.document(0)).transpose()?)
    }

    /// The token with this SHA-256 (lower-case hex), expired or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token(&self, sha256: &str) -> Result<Option<TokenDocument>, ProjectionError> {
        let mut tx = self.view.read().await?;
        let row = tx.first(&format!("{TOKENS} WHERE t.sha256 = $1 ORDER BY t.id LIMIT 1"), vec![Value::text(sha256)]).await?;
        Ok(row.as_ref().map(token).transpose()?)
    }

    /// The user's tokens, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<TokenDocument>, ProjectionError> {
        let sql = format!("{TOKENS} WHERE t.user_id = $1 ORDER BY t.issued_at, t.id");
        let rows = self.view.read().await?.fetch(&sql, vec![Value::id(user)]).await?;
        Ok(rows.iter().map(token).collect::<sqlx::Result<_>>()?)
    }
}

fn token(row: &Row) -> sqlx::Result<TokenDocument> {
    Ok(TokenDocument {
        id: row.parsed(0)?,
        user: row.parsed(1)?,
        name: row.text(2)?,
        role: row.parsed(3)?,
        expires_at: row.maybe_int(4)?,
        issued_at: row.int(5)?,
    })
}
