//! What channels need of an engine: its store, and being told when there may be something to tell.

use std::io;
use std::sync::Arc;

use super::{Changes, Engine, changes};
use crate::domain::{ErrorCode, OpError};
use crate::store::Store;

impl Engine {
    /// Gives the store, for what works beside the engine.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// Tells, from now on, when events were stored or something is to be sent again, by this process or another. A store
    /// that had to be filled anew is full when this returns, so that nothing in it is told as news.
    ///
    /// # Errors
    ///
    /// `storage_failed` when the file that tells cannot be made or watched, or the store cannot be used.
    pub async fn outbox_changes(&self) -> Result<Changes, OpError> {
        self.db(|_| Ok(())).await?;
        let failed = |error: io::Error| OpError::new(ErrorCode::StorageFailed, error.to_string());
        Changes::watch(&self.paths.outbox_mark).map_err(failed)
    }

    /// Tells the process that runs the channels to look.
    pub fn tell_outbox(&self) {
        changes::tell(&self.paths.outbox_mark);
    }
}
