//! Everything around a session breaks, at points that are named and at random ones. A test that begins with `t` and a
//! number reproduces a class of incidents that peers of Aegis had.

mod disks;
mod edges;
mod identity;
mod kills;
mod points;
mod stewards;
mod stopped;
mod storage;
mod versions;
mod waiting;
mod watches;

use aegis::app::App;
use aegis::engine::steward;
use tokio::task::JoinHandle;

/// A server's steward in this process, until it is dropped.
pub struct Steward(JoinHandle<()>);

impl Steward {
    pub fn of(app: &App) -> Self {
        Self(tokio::spawn(steward::serve(app.engine.clone())))
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        self.0.abort();
    }
}
