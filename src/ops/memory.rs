//! The memory: texts under keys, which all sessions and servers share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Aegis, Caller};
use crate::access::Permission;
use crate::domain::{ErrorCode, LONGEST_LIFE, MemoryEntry, MemoryKey, OpError};

/// Keeps a text under a key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetState {
    /// `namespace/name`, at most 256 characters.
    pub key: String,
    /// The text, at most 100 KiB.
    pub value: String,
    /// Forget it after so many seconds; never if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub ttl_seconds: Option<u64>,
}

/// Names one key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateRef {
    /// `namespace/name`.
    pub key: String,
}

/// What became of a removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateDeleted {
    /// The key.
    pub key: String,
    /// Whether something was kept under it.
    pub deleted: bool,
}

/// Asks for entries, in the order of their keys.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListState {
    /// Only keys that begin so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Default 50.
    #[serde(default)]
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// nextCursor of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateList {
    /// In the order of their keys.
    pub entries: Vec<MemoryEntry>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Aegis {
    /// Keeps a text under a key, in place of what was kept there. It survives a loss of power once this returns.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `storage_failed`.
    pub async fn state_set(&self, caller: &Caller, req: SetState) -> Result<MemoryEntry, OpError> {
        let act = self.begin(caller, "state_set", Permission::Send).await?;
        act.what(format!("key {}", req.key));
        let done = self.set(caller, req).await;
        act.end(done).await
    }

    async fn set(&self, caller: &Caller, req: SetState) -> Result<MemoryEntry, OpError> {
        let key: MemoryKey = req.key.parse()?;
        if req.ttl_seconds.is_some_and(|seconds| !(1..=LONGEST_LIFE).contains(&seconds)) {
            let what = format!("ttlSeconds must be from 1 to {LONGEST_LIFE}, which is 30 days");
            return Err(OpError::new(ErrorCode::InvalidArgument, what).hint("leave it out to keep the text"));
        }
        let owner = match caller.inside {
            Some(session) => format!("session:{session}"),
            None => caller.surface.clone(),
        };
        self.engine.remember(key, req.value, req.ttl_seconds, owner).await
    }

    /// Gives what is kept under a key.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `no_such_key`, `storage_failed`.
    pub async fn state_get(&self, _: &Caller, req: StateRef) -> Result<MemoryEntry, OpError> {
        self.engine.recall(req.key.parse()?).await
    }

    /// Forgets what is kept under a key, and tells whether there was anything.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `storage_failed`.
    pub async fn state_delete(&self, caller: &Caller, req: StateRef) -> Result<StateDeleted, OpError> {
        let act = self.begin(caller, "state_delete", Permission::Send).await?;
        act.what(format!("key {}", req.key));
        let done = async {
            let deleted = self.engine.forget(req.key.parse()?).await?;
            Ok(StateDeleted { key: req.key, deleted })
        };
        let done = done.await;
        act.end(done).await
    }

    /// Lists what is kept, in the order of its keys.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `storage_failed`.
    pub async fn state_list(&self, _: &Caller, req: ListState) -> Result<StateList, OpError> {
        let limit = super::page_limit(req.limit)?;
        let prefix = req.prefix.unwrap_or_default();
        let (entries, next_cursor) = self.engine.remembered(prefix, req.cursor, limit).await?;
        Ok(StateList { entries, next_cursor })
    }
}
