//! One record and its canonical text.

use hmac::{Hmac, KeyInit as _, Mac as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::access::token::hex;
use crate::domain::{SessionId, Timestamp};

/// The longest detail that is kept, in bytes.
const LONGEST_DETAIL: usize = 1000;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Who: `local` (this machine's user), `session:ID`, `master`, `key:NAME`.
    pub actor: String,
    /// The key's id, where it was one.
    pub actor_key_id: Option<String>,
    /// Through which surface.
    pub surface: String,
    /// The operation's name.
    pub action: String,
    /// To which session.
    pub session_id: Option<SessionId>,
    /// More about what; no prompt and no secret.
    pub detail: String,
    /// `done`, the code of the failure, or `abandoned` if the caller did not wait for the end.
    pub outcome: String,
}

/// One record. Its fields stand in the order of their names, which is that of its canonical text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditRecord {
    /// The operation's name.
    pub action: String,
    /// Who: `local` (this machine's user), `session:ID`, `master`, `key:NAME`.
    pub actor: String,
    /// The key's id, where it was one.
    pub actor_key_id: Option<String>,
    /// More about what; no prompt and no secret.
    pub detail: String,
    /// `done`, the code of the failure, or `abandoned` if the caller did not wait for the end.
    pub outcome: String,
    /// The hash of the record before; empty for the first.
    pub prev_hash: String,
    /// Its number, from 1.
    pub seq: u64,
    /// To which session.
    #[schemars(with = "Option<String>")]
    pub session_id: Option<SessionId>,
    /// Through which surface.
    pub surface: String,
    /// When.
    pub ts: Timestamp,
    /// HMAC-SHA-256 of all that, as its canonical text, hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

impl AuditRecord {
    /// Makes the record that follows another.
    pub(super) fn after(seq: u64, prev_hash: &str, deed: Deed, ts: Timestamp, key: &[u8]) -> Self {
        let Deed { actor, actor_key_id, surface, action, session_id, mut detail, outcome } = deed;
        if detail.len() > LONGEST_DETAIL {
            let end = (0..=LONGEST_DETAIL).rev().find(|at| detail.is_char_boundary(*at)).unwrap_or(0);
            detail.truncate(end);
        }
        let mut record = Self {
            action,
            actor,
            actor_key_id,
            detail,
            outcome,
            prev_hash: prev_hash.to_owned(),
            seq,
            session_id,
            surface,
            ts,
            hash: String::new(),
        };
        record.hash = record.sealed(key);
        record
    }

    /// Gives the hash that the record must have.
    pub(super) fn sealed(&self, key: &[u8]) -> String {
        let bare = Self { hash: String::new(), ..self.clone() };
        seal(key, bare.text().as_bytes())
    }

    /// Gives the canonical text: no spaces, names in order.
    pub(super) fn text(&self) -> String {
        // Texts, numbers and a time always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line; `None` unless it is exactly the canonical text of a record.
    pub(super) fn read(line: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(line).ok()?;
        (record.text() == line).then_some(record)
    }
}

/// HMAC-SHA-256, hexadecimal.
pub(super) fn seal(key: &[u8], text: &[u8]) -> String {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    hex(&mac.finalize().into_bytes())
}
