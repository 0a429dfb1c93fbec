//! An engine without sessions, for tests of what stands above it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Engine, Parts};
use crate::config::{Config, Paths, Sources};
use crate::store::SqliteStore;

thread_local! {
    /// The directories of the test that runs on this thread; they go when the thread ends.
    static KEPT: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// Builds an engine over a fresh directory, which goes when the test's thread ends.
pub(crate) fn engine() -> Engine {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().to_owned();
    let env = BTreeMap::from([
        ("AEGIS_STATE_DIR".to_owned(), dir.join("state").into_os_string()),
        ("AEGIS_RUNTIME_DIR".to_owned(), dir.join("run").into_os_string()),
    ]);
    let sources = Sources { file: None, cwd: dir.clone(), home: Some(dir), env };
    let config = Config::load(&sources).unwrap().config;
    let paths = Paths::resolve(&config, &sources).unwrap();
    paths.create().unwrap();
    let store = Arc::new(SqliteStore::open(&paths.database).unwrap());
    let parts = Parts { store, config, paths, environment: BTreeMap::new(), aegis: "aegis".into() };
    KEPT.with_borrow_mut(|all| all.push(kept));
    Engine::new(parts)
}
