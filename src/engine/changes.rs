//! How processes learn that something was written, a pipeline or what channels tell: whoever writes touches a file, and
//! others watch that.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use notify::RecursiveMode;
use tokio::sync::watch;

use crate::engine::fs_watch;

/// Tells that something was written, in this process or another. Several writings may be told as one.
pub struct Changes {
    told: watch::Receiver<()>,
    _watcher: fs_watch::Watch,
}

impl Changes {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or watched.
    pub(super) fn watch(mark: &Path) -> io::Result<Self> {
        open(mark)?;
        let (tell, told) = watch::channel(());
        let watcher = fs_watch::watch(mark, RecursiveMode::NonRecursive, move || {
            let _ = tell.send(());
        })
        .map_err(io::Error::other)?;
        Ok(Self { told, _watcher: watcher })
    }

    /// Waits for the next change after the last that was waited for.
    pub(super) async fn next(&mut self) {
        // The watcher, which tells, lives as long as this.
        let _ = self.told.changed().await;
    }

    /// Tells somebody else too.
    #[must_use]
    pub fn also(&self) -> watch::Receiver<()> {
        self.told.clone()
    }
}

/// Tells those who watch. Whoever misses it learns of the change with the next one.
pub(super) fn tell(mark: &Path) {
    if let Err(error) = open(mark).and_then(|mut mark| mark.write_all(b"\n")) {
        tracing::warn!(%error, "others are not told that something was written");
    }
}

fn open(mark: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).mode(0o600).open(mark)
}
