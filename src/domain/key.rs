//! The keys that programs call with, and what each may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What a caller may do, from more to less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum KeyRole {
    /// Everything, keys included.
    Admin,
    /// Everything with sessions.
    Operator,
    /// Looking.
    Viewer,
}

impl KeyRole {
    /// All, from more to less.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Operator, Self::Viewer];

    /// Gives the role as the wire spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    /// What a key of this role may do unless it was made with permissions of its own.
    #[must_use]
    pub fn permissions(self) -> Vec<Permission> {
        match self {
            Self::Admin | Self::Operator => Permission::ALL.to_vec(),
            Self::Viewer => vec![Permission::Audit],
        }
    }
}

/// One thing that a key may be allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
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
    /// Reading the audit log, for admins.
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

/// A key as it is kept. The key's own text is nowhere: only its hash is stored, apart from this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its id: 16 hexadecimal digits.
    pub id: String,
    /// Its name; several may share it.
    pub name: String,
    /// Its role.
    pub role: KeyRole,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// How many calls it may make in a minute; the configuration's number unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}
