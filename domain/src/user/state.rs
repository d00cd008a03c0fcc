//! The state of a person's account.

use super::event::{Role, UserEvent};
use crate::{ids::TokenId, time::Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub sha256: String,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub role: Option<Role>,
    pub tokens: Vec<Token>,
}

impl User {
    pub(super) fn fold(&mut self, event: &UserEvent) {
        match event {
            UserEvent::Created { name, role } => {
                self.name.clone_from(name);
                self.role = Some(*role);
            }
            UserEvent::RoleChanged { role } => self.role = Some(*role),
            UserEvent::TokenIssued { token_id, name, sha256, expires_at } => {
                self.tokens.push(Token { id: *token_id, name: name.clone(), sha256: sha256.clone(), expires_at: *expires_at })
            }
            UserEvent::TokenRevoked { token_id } => self.tokens.retain(|token| token.id != *token_id),
        }
    }
}
