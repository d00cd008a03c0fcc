//! What may be asked of a person's account.

use super::event::Role;
use crate::{ids::TokenId, time::Timestamp};

#[derive(Clone, Debug)]
pub enum UserCommand {
    Create { name: String, role: Role },
    ChangeRole { role: Role },
    IssueToken { token_id: TokenId, name: String, sha256: String, expires_at: Option<Timestamp> },
    RevokeToken { token_id: TokenId },
}
