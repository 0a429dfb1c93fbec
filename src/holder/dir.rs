//! The files of one session.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A session's directory, 0700, below the state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDir {
    root: PathBuf,
}

impl SessionDir {
    /// Names the directory at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the directory if it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(&self) -> io::Result<()> {
        DirBuilder::new().mode(0o700).recursive(true).create(&self.root)
    }

    /// Removes the directory and all in it.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The settings file given to Claude Code.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    /// The journal that is being written; older parts have a number behind it.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// Where each message of the transcript stands.
    #[must_use]
    pub fn messages(&self) -> PathBuf {
        self.root.join("messages.jsonl")
    }

    /// What the session was created with, for a store that has lost it.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.root.join("session.json")
    }

    /// The processes that the session started, as last seen.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree.json")
    }

    /// The last [`Snapshot`](crate::wire::Snapshot), written when the session has ended.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.root.join("last.json")
    }

    /// The last [`SessionStats`](crate::domain::SessionStats), written when the session has ended.
    #[must_use]
    pub fn stats(&self) -> PathBuf {
        self.root.join("stats.json")
    }

    /// The holder's process, so that others can tell it from what a session started.
    #[must_use]
    pub fn pid(&self) -> PathBuf {
        self.root.join("holder.json")
    }

    /// The holder's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("holder.log")
    }

    /// The file that the holder keeps locked as long as it lives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("holder.lock")
    }

    /// Marks that the session was given its window.
    #[must_use]
    pub fn window(&self) -> PathBuf {
        self.root.join("window")
    }

    /// Locks the creation of the session, as long as the returned file is kept.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or locked.
    pub fn lock_creation(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.creation())?;
        file.try_lock()?;
        Ok(file)
    }

    /// Whether somebody is creating the session right now.
    #[must_use]
    pub fn creation_is_going_on(&self) -> bool {
        let file = File::open(self.creation());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn creation(&self) -> PathBuf {
        self.root.join("creation.lock")
    }

    /// Takes the holder's lock. `None` if a holder lives. The lock is gone with the returned file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let file = File::options().create(true).truncate(false).write(true).open(self.lock())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
