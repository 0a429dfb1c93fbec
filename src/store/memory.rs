//! What the store does for the memory.

use super::StoreError;
use crate::domain::{MemoryEntry, MemoryKey, Timestamp};

/// Texts under keys. Whatever has expired at `now` is as good as gone: no method gives it, and writes remove it.
///
/// # Errors
///
/// As for [`super::Store`]: only the general ones.
pub trait MemoryStore: Send + Sync {
    /// Sets a key, in place of what it had before, and gives the entry. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn set_memory(
        &self,
        key: &MemoryKey,
        value: &str,
        owner: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<MemoryEntry, StoreError>;

    /// Gives the entries of these keys as they are at one moment, in the order of the keys; none in place of one that
    /// is not there.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn memory(&self, keys: &[MemoryKey], now: Timestamp) -> Result<Vec<Option<MemoryEntry>>, StoreError>;

    /// Removes a key; returns whether there was one. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn delete_memory(&self, key: &MemoryKey, now: Timestamp) -> Result<bool, StoreError>;

    /// Gives at most `limit` entries whose keys begin with `prefix` and come after `after`, in the order of their keys.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn memory_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<MemoryEntry>, StoreError>;

    /// Gives at most `limit` keys, in their order.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn memory_keys(&self, limit: usize, now: Timestamp) -> Result<Vec<String>, StoreError>;
}
