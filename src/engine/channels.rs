//! What channels need of an engine: its store, and being told when there may be something to tell.

use std::io;
use std::sync::Arc;

use super::{Changes, Engine, changes};
use crate::store::Store;

impl Engine {
    /// Gives the store, for what works beside the engine.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// Tells, from now on, when events were stored or something is to be sent again, by this process or another.
    ///
    /// # Errors
    ///
    /// When the file that tells cannot be made or watched.
    pub fn outbox_changes(&self) -> io::Result<Changes> {
        Changes::watch(&self.paths.outbox_mark)
    }

    /// Tells the process that runs the channels to look.
    pub fn tell_outbox(&self) {
        changes::tell(&self.paths.outbox_mark);
    }
}
