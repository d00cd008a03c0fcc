use super::*;
use crate::{Timestamp, aggregate::Context, ids::TokenId};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

fn framework() -> TestFramework<User> {
    TestFramework::with(Context { now: Timestamp(100), id: Uuid::nil() })
}

fn created() -> UserEvent {
    UserEvent::Created { name: "Ada".to_owned(), role: Role::Member }
}

fn issue(expires_at: Option<i64>) -> UserCommand {
    UserCommand::IssueToken {
        token_id: TokenId(Uuid::from_u128(3)),
        name: "ci".to_owned(),
        sha256: "hash".to_owned(),
        expires_at: expires_at.map(Timestamp),
    }
}

fn issued() -> UserEvent {
    UserEvent::TokenIssued {
        token_id: TokenId(Uuid::from_u128(3)),
        name: "ci".to_owned(),
        sha256: "hash".to_owned(),
        expires_at: None,
    }
}

#[test]
fn a_token_is_issued_once_and_revoked_once() {
    let revoke = || UserCommand::RevokeToken { token_id: TokenId(Uuid::from_u128(3)) };
    framework().given(vec![created()]).when(issue(None)).then_expect_events(vec![issued()]);
    framework().given(vec![created(), issued()]).when(issue(None)).then_expect_events(vec![]);
    let revoked = UserEvent::TokenRevoked { token_id: TokenId(Uuid::from_u128(3)) };
    framework().given(vec![created(), issued()]).when(revoke()).then_expect_events(vec![revoked.clone()]);
    framework().given(vec![created(), issued(), revoked]).when(revoke()).then_expect_error(UserRefusal::TokenNotFound);
}

#[test]
fn a_token_expires_in_the_future() {
    framework().given(vec![created()]).when(issue(Some(100))).then_expect_error(UserRefusal::ExpiryPast);
    framework().given_no_previous_events().when(issue(None)).then_expect_error(UserRefusal::UserNotFound);
}

#[test]
fn a_name_has_letters() {
    for name in ["", "  ", "a\nb"] {
        let create = UserCommand::Create { name: name.to_owned(), role: Role::Member };
        framework().given_no_previous_events().when(create).then_expect_error(UserRefusal::NameInvalid);
    }
}
