//! Being told that something in the file system changed.

use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio_util::task::AbortOnDropHandle;

/// How often it is said that something may have changed where the system does not tell.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Something that is watched as long as this is kept.
#[derive(Debug)]
pub(super) enum Watch {
    /// The system tells.
    Told { _watcher: RecommendedWatcher },
    /// The system watches no more: a user may have so many watchers (128 is common), and each holder has one.
    Said { _saying: AbortOnDropHandle<()> },
}

/// Calls `tell` whenever something at `path` may have changed, until what this gives is dropped. That somebody only opens
/// a file is left out; that events may have been lost counts as a change. Where the system watches no more it is called
/// every second.
///
/// # Errors
///
/// When nothing is there.
pub(super) fn watch(
    path: &Path,
    mode: RecursiveMode,
    tell: impl Fn() + Clone + Send + 'static,
) -> notify::Result<Watch> {
    let told = tell.clone();
    let watched = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.is_ok_and(|event| event.kind.is_access()) {
            told();
        }
    })
    .and_then(|mut watcher| watcher.watch(path, mode).map(|()| watcher));
    match watched {
        Ok(watcher) => Ok(Watch::Told { _watcher: watcher }),
        Err(error) if path.exists() => {
            tracing::warn!(%error, path = %path.display(), "cannot be watched; it is looked at every second");
            let saying = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SAID_EVERY).await;
                    tell();
                }
            });
            Ok(Watch::Said { _saying: AbortOnDropHandle::new(saying) })
        }
        Err(error) => Err(error),
    }
}
