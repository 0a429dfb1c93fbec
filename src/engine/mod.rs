//! Sessions as running things: started, found, asked, watched.
//!
//! An engine holds no session's state: that is the holder's. It starts holders, finds them again through the
//! store, talks to them, and closes the records of those that vanished. Any number of engines do so at once; one of
//! them is the [`steward`], which also runs pipelines.

mod attach;
mod changes;
mod channels;
mod close;
mod create;
mod cursor;
mod family;
mod feed;
mod figures;
mod find;
mod fs_watch;
mod health;
mod hook;
mod keys;
mod launch;
mod link;
mod memory;
mod names;
mod news;
mod once;
mod passed;
mod pipeline;
mod policy;
mod prepare;
mod program;
mod read;
mod rebuild;
mod repository;
mod roster;
mod stats;
pub mod steward;
mod swarm;
mod templates;
#[cfg(test)]
pub(crate) mod testing;
mod turn;
mod types;
mod verify;
mod wait;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::config::{Config, Paths};
use crate::domain::{ErrorCode, OpError, SessionId};
use crate::holder::{self, Archive, HolderClient};
use crate::store::{Store, StoreError};

pub use changes::Changes;
pub use family::Fork;
pub use feed::{Fed, Feed, Mark, Newcomer, NoPlace, Place, Replay};
pub use figures::{Figures, SessionFigures};
pub use news::{News, NewsReader};
pub use pipeline::{NewPipeline, NewStep, PipelineQuery};
pub use repository::{Project, Repository};
pub use roster::Roster;
pub use swarm::{Subagent, Swarm, SwarmProcess};
pub use types::{
    AttachInput, Attachment, ClaudeProgram, Created, Detail, EngineHealth, ListQuery, NewSession, WaitQuery,
    WaitResult, Woken,
};

/// What an engine is built from.
pub struct Parts {
    /// Where records are.
    pub store: Arc<dyn Store>,
    /// The configuration.
    pub config: Config,
    /// Where files are.
    pub paths: Paths,
    /// The caller's environment, of which sessions get what is allowed.
    pub environment: BTreeMap<String, String>,
    /// The `aegis` program, for holders and hooks.
    pub aegis: PathBuf,
}

/// Sessions as running things.
pub struct Engine {
    store: Arc<dyn Store>,
    config: RwLock<Arc<Config>>,
    paths: Paths,
    environment: BTreeMap<String, String>,
    aegis: PathBuf,
    links: Mutex<HashMap<SessionId, HolderClient>>,
    /// The conversation of an ended session that was read last.
    archive: Mutex<Option<(SessionId, Arc<Archive>)>>,
    /// The figures of ended sessions, which change no more.
    past_figures: Mutex<figures::Past>,
    started: Instant,
    /// Told whenever something is done.
    used: Notify,
    steward: AtomicU8,
    roster: roster::Shared<watch::Sender<Option<roster::Rows>>>,
    news: roster::Shared<news::Outlet>,
}

impl Engine {
    /// Builds an engine.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, config, paths, environment, aegis } = parts;
        Self {
            store,
            config: RwLock::new(Arc::new(config)),
            paths,
            environment,
            aegis,
            links: Mutex::default(),
            archive: Mutex::default(),
            past_figures: Mutex::default(),
            started: Instant::now(),
            used: Notify::new(),
            steward: AtomicU8::new(steward::NOWHERE),
            roster: roster::Shared::default(),
            news: roster::Shared::default(),
        }
    }

    fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another configuration for what is created from now on. Directories stay those that it was built with.
    pub fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// A variable of the server's environment, unless it is empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Gives memory back whenever nothing was done for a while, until the future is dropped.
    pub async fn keep_small(&self) {
        loop {
            while timeout(holder::memory::QUIET, self.used.notified()).await.is_ok() {}
            holder::memory::give_back();
            self.used.notified().await;
        }
    }

    /// Runs a store call where it may block, a second time if the store had to be replaced.
    async fn db<T: Send + 'static>(
        &self,
        call: impl Fn(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, OpError> {
        self.used.notify_one();
        let (store, paths) = (self.store.clone(), self.paths.clone());
        let run = move || {
            let store = store.as_ref();
            let tried = rebuild::complete(store, &paths).and_then(|()| call(store));
            if let Err(StoreError::Corrupt { .. }) = &tried {
                store.replace_damaged()?;
                rebuild::complete(store, &paths)?;
                // A steward that looked before it was filled saw no pipelines.
                pipeline::tell(&paths.pipelines_mark);
                return call(store);
            }
            tried
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result.map_err(|error| OpError::new(error.code(), error.to_string())),
            Err(error) => {
                Err(OpError::new(ErrorCode::Internal, format!("a store call did not finish: {error}")))
            }
        }
    }
}
