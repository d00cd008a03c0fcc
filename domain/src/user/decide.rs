//! The decisions of a person's account.

use super::{command::UserCommand, event::UserEvent, state::User};
use crate::aggregate::{Context, Decide, Refusal, RefusalKind};

/// The longest name of a person or a token, in characters.
pub const MAX_NAME: usize = 100;
/// The most tokens of one person.
pub const MAX_TOKENS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum UserRefusal {
    #[error("there is no such user")]
    UserNotFound,
    #[error("a user with this id exists already")]
    UserExists,
    #[error("name: 1 to {MAX_NAME} characters without control characters")]
    NameInvalid,
    #[error("a user has at most {MAX_TOKENS} tokens")]
    TooManyTokens,
    #[error("expires_at: it has to be in the future")]
    ExpiryPast,
    #[error("there is no such token")]
    TokenNotFound,
}

impl Refusal for UserRefusal {
    fn code(&self) -> &'static str {
        self.into()
    }
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UserNotFound | Self::TokenNotFound => RefusalKind::NotFound,
            Self::NameInvalid | Self::ExpiryPast => RefusalKind::Invalid,
            Self::UserExists | Self::TooManyTokens => RefusalKind::Conflict,
        }
    }
}

impl Decide for User {
    const KIND: &'static str = "user";
    const STATE_VERSION: u32 = 1;
    type Command = UserCommand;
    type Event = UserEvent;
    type Refusal = UserRefusal;

    fn decide(&self, command: UserCommand, context: &Context) -> Result<Vec<UserEvent>, UserRefusal> {
        match (command, self.role) {
            (UserCommand::Create { .. }, Some(_)) => Err(UserRefusal::UserExists),
            (UserCommand::Create { name, role }, None) => Ok(vec![UserEvent::Created { name: valid_name(&name)?, role }]),
            (_, None) => Err(UserRefusal::UserNotFound),
            (UserCommand::ChangeRole { role }, Some(now)) if role == now => Ok(vec![]),
            (UserCommand::ChangeRole { role }, Some(_)) => Ok(vec![UserEvent::RoleChanged { role }]),
            (UserCommand::IssueToken { token_id, name, sha256, expires_at }, Some(_)) => {
                if self.tokens.iter().any(|token| token.id == token_id) {
                    return Ok(vec![]);
                }
                if self.tokens.len() >= MAX_TOKENS {
                    return Err(UserRefusal::TooManyTokens);
                }
                if expires_at.is_some_and(|at| at <= context.now) {
                    return Err(UserRefusal::ExpiryPast);
                }
                Ok(vec![UserEvent::TokenIssued { token_id, name: valid_name(&name)?, sha256, expires_at }])
            }
            (UserCommand::RevokeToken { token_id }, Some(_)) => {
                if self.tokens.iter().any(|token| token.id == token_id) {
                    Ok(vec![UserEvent::TokenRevoked { token_id }])
                } else {
                    Err(UserRefusal::TokenNotFound)
                }
            }
        }
    }

    fn apply_event(&mut self, event: &UserEvent) {
        self.fold(event);
    }
}

fn valid_name(name: &str) -> Result<String, UserRefusal> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.contains(char::is_control) {
        return Err(UserRefusal::NameInvalid);
    }
    Ok(name.to_owned())
}
