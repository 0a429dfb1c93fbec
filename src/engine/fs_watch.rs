//! Being told that something in the file system changed.

use std::path::Path;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// Calls `tell` whenever something at `path` may have changed, until the watcher is dropped. That somebody only opens a
/// file is left out; that events may have been lost counts as a change.
///
/// # Errors
///
/// When the system watches no more, or nothing is there.
pub(super) fn watch(
    path: &Path,
    mode: RecursiveMode,
    tell: impl Fn() + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            tell();
        }
    })?;
    watcher.watch(path, mode)?;
    Ok(watcher)
}
