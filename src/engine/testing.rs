//! An engine without sessions, for tests of what stands above it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Engine, Parts};
use crate::config::{Config, Paths, Sources};
use crate::store::SqliteStore;

/// Builds an engine over a fresh directory, which is left to the system's own clean-up.
pub(crate) fn engine() -> Engine {
    let dir = tempfile::tempdir().unwrap().keep();
    let env = BTreeMap::from([
        ("AEGIS_STATE_DIR".to_owned(), dir.join("state").into_os_string()),
        ("AEGIS_RUNTIME_DIR".to_owned(), dir.join("run").into_os_string()),
    ]);
    let sources = Sources { file: None, cwd: dir.clone(), home: Some(dir), env };
    let config = Config::load(&sources).unwrap().config;
    let paths = Paths::resolve(&config, &sources).unwrap();
    paths.create().unwrap();
    let store = Arc::new(SqliteStore::open(&paths.database).unwrap());
    Engine::new(Parts { store, config, paths, environment: BTreeMap::new(), aegis: "aegis".into() })
}
