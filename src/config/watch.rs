//! Being told that a configuration file has changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{Config, Sources};

/// The watch; it ends when this is dropped.
#[derive(Debug)]
pub struct ConfigWatch {
    _watcher: RecommendedWatcher,
}

/// Calls `tell` whenever a file that the configuration is read from may have changed, come or gone. Their directories
/// are watched, since editors put a new file in the old one's place.
///
/// # Errors
///
/// When the system watches no more.
pub fn watch(sources: &Sources, tell: impl Fn() + Send + 'static) -> notify::Result<ConfigWatch> {
    let files: BTreeSet<PathBuf> = Config::files(sources).into_iter().collect();
    let dirs: BTreeSet<PathBuf> = files
        .iter()
        .filter_map(|file| file.parent())
        .filter(|dir| dir.is_dir())
        .map(Path::to_owned)
        .collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return tell() };
        if !event.kind.is_access() && event.paths.iter().any(|path| files.contains(path)) {
            tell();
        }
    })?;
    for dir in dirs {
        watcher.watch(&dir, RecursiveMode::NonRecursive)?;
    }
    Ok(ConfigWatch { _watcher: watcher })
}
