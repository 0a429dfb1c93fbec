//! Callers, their roles and permissions.

use crate::domain::ApiKey;
pub use crate::domain::{KeyRole as Role, Permission};

/// What a call needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody may.
    Nothing,
    /// A caller who is known.
    Anyone,
    /// A caller with this permission.
    Permission(Permission),
    /// A caller who is more than a viewer.
    Operator,
    /// A caller who administers this server.
    Admin,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key's id, `master` for the configured token; none where no token is needed.
    pub key: Option<String>,
    /// The key's name.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// What it may do; an admin may everything.
    pub permissions: Vec<Permission>,
    /// How many calls it may make in a minute, where the key says so.
    pub rate_limit: Option<u32>,
}

impl Identity {
    /// Anyone at all, where no token is needed: this machine's user.
    #[must_use]
    pub fn everyone() -> Self {
        Self {
            key: None,
            name: None,
            role: Role::Admin,
            permissions: Permission::ALL.to_vec(),
            rate_limit: None,
        }
    }

    /// Somebody who showed no token that counts.
    #[must_use]
    pub fn nobody() -> Self {
        Self { role: Role::Viewer, permissions: Vec::new(), ..Self::everyone() }
    }

    /// The holder of the configured token.
    #[must_use]
    pub fn master() -> Self {
        Self { key: Some(Self::MASTER.into()), ..Self::everyone() }
    }

    /// What the configured token is called where others have an id.
    pub const MASTER: &'static str = "master";

    /// Tells whether the caller may do what needs this.
    #[must_use]
    pub fn may(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing | Needs::Anyone => true,
            Needs::Permission(permission) => {
                self.role == Role::Admin || self.permissions.contains(&permission)
            }
            Needs::Operator => self.role != Role::Viewer,
            Needs::Admin => self.role == Role::Admin,
        }
    }

    /// The key whose sessions alone it sees; none for those who see all.
    #[must_use]
    pub fn confined(&self) -> Option<&str> {
        // Nobody at all sees nothing: no session belongs to the empty name.
        (self.role != Role::Admin).then(|| self.key.as_deref().unwrap_or_default())
    }
}

impl From<ApiKey> for Identity {
    fn from(key: ApiKey) -> Self {
        Self {
            key: Some(key.id),
            name: Some(key.name),
            role: key.role,
            permissions: key.permissions,
            rate_limit: key.rate_limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_may_do_what_it_was_given_and_no_more() {
        let viewer = Identity {
            key: Some("k".into()),
            role: Role::Viewer,
            permissions: Role::Viewer.permissions(),
            ..Identity::everyone()
        };
        assert!(viewer.may(Needs::Anyone));
        assert!(viewer.may(Needs::Permission(Permission::Audit)));
        assert!(!viewer.may(Needs::Permission(Permission::Send)));
        assert!(!viewer.may(Needs::Operator) && !viewer.may(Needs::Admin));
        let operator = Identity { role: Role::Operator, ..viewer.clone() };
        assert!(operator.may(Needs::Operator) && !operator.may(Needs::Admin));
        assert_eq!(viewer.confined(), Some("k"));
        assert!(Identity::master().may(Needs::Admin));
        assert_eq!(Identity::master().confined(), None);
        assert_eq!(Identity::nobody().confined(), Some(""));
    }
}
