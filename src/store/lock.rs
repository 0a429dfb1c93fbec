//! Being the only one of many processes, by a lock on a file: it frees itself when its process dies.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;

use tokio::sync::oneshot;

/// Waits for the lock on a file, which is made if it is missing. Waits on a thread of its own, called `name`: the system
/// wakes exactly one of those who wait. The lock is held as long as the file.
///
/// # Errors
///
/// When the file cannot be made, or the system starts no thread.
pub async fn wait_for_lock(path: &Path, name: &str) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let (got, wait) = oneshot::channel();
    thread::Builder::new().name(name.into()).stack_size(64 << 10).spawn(move || {
        let result = file.lock().map(|()| file);
        let _ = got.send(result);
    })?;
    wait.await.map_err(io::Error::other)?
}
