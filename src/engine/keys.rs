//! The keys that programs call with, as the store keeps them.

use super::Engine;
use crate::domain::{ApiKey, OpError, Timestamp};

impl Engine {
    /// Keeps a key under the hash of its text.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn add_key(&self, key: ApiKey, hash: String) -> Result<(), OpError> {
        self.db(move |store| store.insert_api_key(&key, &hash)).await
    }

    /// Gives all keys, oldest first.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, OpError> {
        self.db(|store| store.api_keys()).await
    }

    /// Gives a key another text and another end; what it has is refused from `old_until` on. None if there is none.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn rotate_key(
        &self,
        id: String,
        hash: String,
        expires_at: Option<Timestamp>,
        old_until: Timestamp,
    ) -> Result<Option<ApiKey>, OpError> {
        self.db(move |store| store.rotate_api_key(&id, &hash, expires_at, old_until)).await
    }

    /// Removes a key; tells whether there was one.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn remove_key(&self, id: String) -> Result<bool, OpError> {
        self.db(move |store| store.delete_api_key(&id)).await
    }
}
