//! Users and tokens as they are shown.

use docket_domain::{
    ids::{TokenId, UserId},
    user::{Role, UserEvent},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person's account. Times are µs since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserDocument {
    #[schema(value_type = Uuid)]
    pub id: UserId,
    pub name: String,
    /// `owner`, `administrator`, `auditor` or `member`.
    #[schema(value_type = String)]
    pub role: Role,
    pub created_at: i64,
    pub updated_at: i64,
    /// Of the last event that is in this document.
    pub position: u64,
}

impl UserDocument {
    /// The document of a user that begins with this event, if one does.
    pub(super) fn created(id: UserId, at: i64, event: &UserEvent) -> Option<Self> {
        let UserEvent::Created { name, role } = event else { return None };
        Some(Self { id, name: name.clone(), role: *role, created_at: at, updated_at: at, position: 0 })
    }
}

/// An API token that is not revoked. Neither the token nor its hash is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenDocument {
    #[schema(value_type = Uuid)]
    pub id: TokenId,
    /// Whose it is.
    #[schema(value_type = Uuid)]
    pub user: UserId,
    /// The token's own name.
    pub name: String,
    /// What its user may do now.
    #[schema(value_type = String)]
    pub role: Role,
    /// µs since 1970, UTC; never, if none. Whoever authenticates with it compares.
    pub expires_at: Option<i64>,
    pub issued_at: i64,
}
