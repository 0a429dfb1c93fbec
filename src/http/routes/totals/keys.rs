//! Sums by the key that sessions belong to. A session keeps its key when the key is removed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::sums::{Sums, Tokens};
use crate::domain::{ApiKey, Timestamp};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::refusal::Reply;
use crate::ops::Figures;

/// Stands for a key's id where sessions belong to none: this machine's user's and those of the configured token.
pub(super) const NO_KEY: &str = "__none__";

/// The same, for a key's name.
const NO_NAME: &str = "no-key";

/// What the sessions of one key have used.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyUse {
    /// The key's id; `__none__` for sessions that belong to no key.
    key_id: String,
    /// The key's name; its id once it is removed, `no-key` where there is none.
    key_name: String,
    sessions: usize,
    messages: u64,
    #[serde(flatten)]
    tokens: Tokens,
}

impl KeyUse {
    /// Whether it is about a key at all.
    pub(super) fn is_key(&self) -> bool {
        self.key_id != NO_KEY
    }
}

/// The names of keys, by id.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn of(keys: &[ApiKey]) -> Self {
        Self(keys.iter().map(|key| (key.id.clone(), key.name.clone())).collect())
    }

    /// A key's id and name as sums tell them.
    pub(super) fn tell(&self, key: Option<&str>) -> (String, String) {
        let (id, name) = match key {
            Some(id) => (id, self.0.get(id).map_or(id, String::as_str)),
            None => (NO_KEY, NO_NAME),
        };
        (id.to_owned(), name.to_owned())
    }
}

/// Adds up the sessions whose time of creation is wanted by their keys.
pub(super) fn sums(figures: &Figures, wanted: impl Fn(Timestamp) -> bool) -> BTreeMap<Option<String>, Sums> {
    Sums::by(figures, |session| wanted(session.created_at).then(|| session.owner_key.clone()))
}

/// What each key's sessions have used, the most expensive first.
pub(super) async fn used(door: &HttpDoor, call: &Call, figures: &Figures) -> Reply<Vec<KeyUse>> {
    let names = Names::of(&door.aegis.figured_keys(&call.caller).await?);
    let told = |(key, sums): (Option<String>, Sums)| {
        let (key_id, key_name) = names.tell(key.as_deref());
        KeyUse { key_id, key_name, sessions: sums.created, messages: sums.messages, tokens: sums.tokens() }
    };
    let mut used: Vec<_> = sums(figures, |_| true).into_iter().map(told).collect();
    used.sort_by(|one, other| {
        let cost = |key: &KeyUse| key.tokens.estimated_cost_usd;
        let rest = |key: &KeyUse| (key.sessions, key.messages);
        cost(other).total_cmp(&cost(one)).then_with(|| rest(other).cmp(&rest(one)))
    });
    Ok(used)
}
