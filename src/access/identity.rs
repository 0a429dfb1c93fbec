//! Callers, their roles and permissions.

/// What a caller may do, from more to less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, keys included.
    Admin,
    /// Everything with sessions.
    Operator,
    /// Looking.
    Viewer,
}

/// One thing that a key may be allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Starting sessions and pipelines.
    Create,
    /// Prompts, commands, keys, and what other sessions are told: memory and templates.
    Send,
    /// Approving asks.
    Approve,
    /// Rejecting asks.
    Reject,
    /// Ending sessions.
    Kill,
    /// Reading the audit log.
    Audit,
}

impl Permission {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Send, Self::Approve, Self::Reject, Self::Kill, Self::Audit];

    /// Gives the permission as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Send => "send",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Kill => "kill",
            Self::Audit => "audit",
        }
    }
}

/// What a call needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody may.
    Nothing,
    /// A caller who is known.
    Anyone,
    /// A caller with this permission.
    Permission(Permission),
    /// A caller who administers this server.
    Admin,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key's id; none where no token is needed.
    pub key: Option<String>,
    /// The role.
    pub role: Role,
    /// What it may do; an admin may everything.
    pub permissions: Vec<Permission>,
}

impl Identity {
    /// Anyone at all, where no token is needed: this machine's user.
    #[must_use]
    pub fn everyone() -> Self {
        Self { key: None, role: Role::Admin, permissions: Permission::ALL.to_vec() }
    }

    /// Somebody who showed no token that counts.
    #[must_use]
    pub fn nobody() -> Self {
        Self { key: None, role: Role::Viewer, permissions: Vec::new() }
    }

    /// The holder of the configured token.
    #[must_use]
    pub fn master() -> Self {
        Self { key: Some("master".into()), ..Self::everyone() }
    }

    /// Tells whether the caller may do what needs this.
    #[must_use]
    pub fn may(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing | Needs::Anyone => true,
            Needs::Permission(permission) => {
                self.role == Role::Admin || self.permissions.contains(&permission)
            }
            Needs::Admin => self.role == Role::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_may_do_what_it_was_given_and_no_more() {
        let viewer =
            Identity { key: Some("k".into()), role: Role::Viewer, permissions: vec![Permission::Audit] };
        assert!(viewer.may(Needs::Anyone));
        assert!(viewer.may(Needs::Permission(Permission::Audit)));
        assert!(!viewer.may(Needs::Permission(Permission::Send)));
        assert!(!viewer.may(Needs::Admin));
        assert!(Identity::master().may(Needs::Admin));
    }
}
