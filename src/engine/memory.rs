//! The memory: texts under keys, which all sessions and servers share.

use super::Engine;
use crate::domain::{ErrorCode, LONGEST_VALUE, MemoryEntry, MemoryKey, OpError, Timestamp, nearest};

/// How many keys are looked through for the one that was meant.
const LOOKED_THROUGH: usize = 1000;

impl Engine {
    /// Sets a key. `seconds` is how long it is kept; none means for ever.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `storage_failed`.
    pub async fn remember(
        &self,
        key: MemoryKey,
        value: String,
        seconds: Option<u64>,
        owner: String,
    ) -> Result<MemoryEntry, OpError> {
        if value.len() > LONGEST_VALUE {
            let what = format!("the value has {} bytes; at most {LONGEST_VALUE} are kept", value.len());
            return Err(OpError::new(ErrorCode::InvalidArgument, what)
                .hint("write it to a file and keep the file's name here"));
        }
        let now = Timestamp::now();
        let life = seconds.map(|seconds| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX));
        let expires_at = life.and_then(|millis| Timestamp::from_millis(now.millis().saturating_add(millis)));
        self.db(move |store| store.set_memory(&key, &value, &owner, expires_at, now)).await
    }

    /// Gives what is under a key.
    ///
    /// # Errors
    ///
    /// `no_such_key`, `storage_failed`.
    pub async fn recall(&self, key: MemoryKey) -> Result<MemoryEntry, OpError> {
        let entry = self.recall_all(std::slice::from_ref(&key)).await?.pop();
        entry.ok_or_else(|| no_such_key(&key))
    }

    /// Gives what is under these keys at one moment, in their order.
    ///
    /// # Errors
    ///
    /// `no_such_key`, which names the first that is not there, `storage_failed`.
    pub(super) async fn recall_all(&self, keys: &[MemoryKey]) -> Result<Vec<MemoryEntry>, OpError> {
        let wanted = keys.to_vec();
        let found = self.db(move |store| store.memory(&wanted, Timestamp::now())).await?;
        match keys.iter().zip(&found).find(|(_, entry)| entry.is_none()) {
            Some((absent, _)) => {
                let known = self.db(|store| store.memory_keys(LOOKED_THROUGH, Timestamp::now())).await?;
                let near = nearest(absent.as_str(), known.iter().map(String::as_str));
                Err(no_such_key(absent).did_you_mean(near))
            }
            None => Ok(found.into_iter().flatten().collect()),
        }
    }

    /// Removes a key; returns whether there was one.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn forget(&self, key: MemoryKey) -> Result<bool, OpError> {
        self.db(move |store| store.delete_memory(&key, Timestamp::now())).await
    }

    /// Gives a page of entries whose keys begin with `prefix`, in the order of their keys, and the cursor of the next.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn remembered(
        &self,
        prefix: String,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<MemoryEntry>, Option<String>), OpError> {
        let page =
            self.db(move |store| store.memory_page(&prefix, cursor.as_deref(), limit + 1, Timestamp::now()));
        let mut entries = page.await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|last| last.key.to_string());
        Ok((entries, next))
    }
}

fn no_such_key(key: &MemoryKey) -> OpError {
    OpError::new(ErrorCode::NoSuchKey, format!("nothing is kept under `{key}`"))
}
