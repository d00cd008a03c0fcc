//! Who may do what: one function, by default denied.

use docket_domain::{ids::UserId, user::Role};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub role: Role,
}

/// What is asked for. `owner` is whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See a chat or a workspace, and everything in it.
    See { owner: UserId },
    /// Work with it: prompt, interrupt, edit, delete.
    Work { owner: UserId },
    /// Make a chat or a workspace of one's own.
    Create,
    /// See templates and models.
    Browse,
    /// Read the whole log, the audit log, everybody's usage; see how the views are.
    Audit,
    /// Change policy, templates, users; build views anew.
    Administer,
    /// Give a role to somebody, or take it from them: only an owner makes or unmakes owners.
    Grant { role: Role },
    /// List or revoke the tokens of a user.
    Tokens { user: UserId },
    /// Make a token of a user, who has this role: it can do what its holder can.
    Issue { user: UserId, role: Role },
}

/// The one decision.
#[must_use]
pub fn allowed(caller: &Caller, action: Action) -> bool {
    use Role::{Administrator, Auditor, Member, Owner};
    match action {
        Action::Browse => true,
        Action::Create => matches!(caller.role, Owner | Administrator | Member),
        Action::See { owner } => owner == caller.user || matches!(caller.role, Owner | Auditor),
        Action::Work { owner } => {
            matches!(caller.role, Owner | Administrator | Member) && (owner == caller.user || caller.role == Owner)
        }
        Action::Audit => matches!(caller.role, Owner | Administrator | Auditor),
        Action::Administer => matches!(caller.role, Owner | Administrator),
        Action::Grant { role } => caller.role == Owner || (caller.role == Administrator && role != Owner),
        Action::Tokens { user } => user == caller.user || matches!(caller.role, Owner | Administrator),
        Action::Issue { user, role } => user == caller.user || allowed(caller, Action::Grant { role }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role) -> Caller {
        Caller { user: UserId::derive(UserId::SYSTEM.0, "me"), role }
    }

    #[test]
    fn a_member_reaches_only_what_is_theirs() {
        let me = caller(Role::Member);
        let other = UserId::derive(UserId::SYSTEM.0, "other");
        assert!(allowed(&me, Action::Work { owner: me.user }) && allowed(&me, Action::See { owner: me.user }));
        for action in [
            Action::Work { owner: other },
            Action::See { owner: other },
            Action::Audit,
            Action::Administer,
            Action::Tokens { user: other },
            Action::Issue { user: other, role: Role::Member },
            Action::Grant { role: Role::Member },
        ] {
            assert!(!allowed(&me, action), "{action:?}");
        }
    }

    #[test]
    fn an_administrator_makes_nobody_an_owner_and_no_token_of_one() {
        let me = caller(Role::Administrator);
        let other = UserId::derive(UserId::SYSTEM.0, "other");
        for role in [Role::Administrator, Role::Auditor, Role::Member] {
            assert!(allowed(&me, Action::Grant { role }) && allowed(&me, Action::Issue { user: other, role }));
        }
        assert!(!allowed(&me, Action::Grant { role: Role::Owner }));
        assert!(!allowed(&me, Action::Issue { user: other, role: Role::Owner }));
        assert!(allowed(&caller(Role::Owner), Action::Grant { role: Role::Owner }));
    }

    #[test]
    fn an_auditor_reads_everything_and_changes_nothing() {
        let me = caller(Role::Auditor);
        let other = UserId::derive(UserId::SYSTEM.0, "other");
        assert!(allowed(&me, Action::See { owner: other }) && allowed(&me, Action::Audit));
        for action in [Action::Work { owner: other }, Action::Work { owner: me.user }, Action::Create, Action::Administer] {
            assert!(!allowed(&me, action), "{action:?}");
        }
    }
}
