//! What the store does for the keys that programs call with.

use super::StoreError;
use crate::domain::{ApiKey, Timestamp};

/// A key as it was found by the hash of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The key.
    pub key: ApiKey,
    /// From when on this text of it is refused: the key's own end, or that of the time which a rotation left it.
    pub refused_from: Option<Timestamp>,
}

/// Keys. Of their texts only hashes are kept.
///
/// # Errors
///
/// As for [`super::Store`]; what else a method can fail with stands at it.
pub trait KeyStore: Send + Sync {
    /// Adds a key under the hash of its text. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn insert_api_key(&self, key: &ApiKey, hash: &str) -> Result<(), StoreError>;

    /// Gives all keys, oldest first.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Gives the key whose text has this hash.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn api_key_by_hash(&self, hash: &str) -> Result<Option<FoundKey>, StoreError>;

    /// Tells whether calls need a key: there is one, or there was one when the store was lost. Cheap while nobody
    /// writes.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn has_api_keys(&self) -> Result<bool, StoreError>;

    /// Gives a key another text, by its hash, and another end; the texts it has are refused from `old_until` on. Gives
    /// the key as it is then; none if there is none. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn rotate_api_key(
        &self,
        id: &str,
        hash: &str,
        expires_at: Option<Timestamp>,
        old_until: Timestamp,
    ) -> Result<Option<ApiKey>, StoreError>;

    /// Removes a key; returns whether there was one. Survives a loss of power.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn delete_api_key(&self, id: &str) -> Result<bool, StoreError>;

    /// Notes that a key was used.
    ///
    /// # Errors
    ///
    /// Only the general ones.
    fn touch_api_key(&self, id: &str, now: Timestamp) -> Result<(), StoreError>;
}
