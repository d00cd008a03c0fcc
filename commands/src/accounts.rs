//! The first account, its token, and the built-in template.

use crate::{control::Control, enrolment::sha256, error::CommandError};
use docket_domain::{
    Metadata, Timestamp,
    ids::{TemplateId, TokenId, UserId},
    template::{Provisioner, TemplateCommand},
    user::{Role, UserCommand},
};
use rand::RngCore;
use uuid::Uuid;

/// An API token as it is shown, once.
#[derive(Debug)]
pub struct IssuedToken {
    pub id: TokenId,
    pub secret: String,
    pub position: u64,
}

/// The account that the first start makes.
#[must_use]
pub fn first_owner() -> UserId {
    UserId::derive(Uuid::nil(), "first owner")
}

/// The template that makes workspaces as processes on the control plane's machine.
#[must_use]
pub fn local_template() -> TemplateId {
    TemplateId::derive(Uuid::nil(), "local template")
}

impl Control {
    /// Makes the first owner and the built-in template, if they are not there.
    ///
    /// # Errors
    /// A fault of the log.
    pub async fn set_up(&self) -> Result<(), CommandError> {
        let owner = self.users.read(first_owner().0, |user, _| user.role).await?;
        if owner.is_none() {
            let command = UserCommand::Create { name: "owner".to_owned(), role: Role::Owner };
            self.user(first_owner(), Metadata::system(), command).await?;
        }
        let template = self.templates.read(local_template().0, |template, _| template.provisioner).await?;
        if template.is_none() {
            let command = TemplateCommand::Create {
                name: "local".to_owned(),
                description: "A confined process in a directory of its own, on the machine that runs the control plane."
                    .to_owned(),
                provisioner: Provisioner::Process,
            };
            self.template(local_template(), Metadata::system(), command).await?;
        }
        Ok(())
    }

    /// Whether `secret` is a token of `user` that still holds.
    ///
    /// # Errors
    /// A fault of the log.
    pub async fn holds_token(&self, user: UserId, secret: &str) -> Result<bool, CommandError> {
        let (hash, now) = (sha256(secret), self.clock.now());
        let holds = self.users.read(user.0, |user, _| {
            user.tokens.iter().any(|token| token.sha256 == hash && token.expires_at.is_none_or(|at| at > now))
        });
        Ok(holds.await?)
    }

    /// Makes an API token. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn issue_token(
        &self,
        user: UserId,
        metadata: Metadata,
        name: String,
        expires_at: Option<Timestamp>,
    ) -> Result<IssuedToken, CommandError> {
        let mut random = [0; 32];
        rand::rng().fill_bytes(&mut random);
        let secret = format!("docket_{}", hex::encode(random));
        let id = TokenId(self.clock.context().id);
        let command = UserCommand::IssueToken { token_id: id, name, sha256: sha256(&secret), expires_at };
        let executed = self.user(user, metadata, command).await?;
        Ok(IssuedToken { id, secret, position: executed.position })
    }
}
