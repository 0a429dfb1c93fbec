//! Why the store failed. The sources are boxed, so that no caller depends on the database behind it.

use std::error::Error;
use std::path::PathBuf;

use crate::domain::{ErrorCode, SessionId};

/// What lies beneath an error.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A live session has the name.
    #[error("the name {name:?} is taken by a live session")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// There is a template of this name.
    #[error("there is a template named {name:?}")]
    TemplateExists {
        /// The name.
        name: String,
    },
    /// A session with this id is stored already.
    #[error("session {id} is stored already")]
    SessionExists {
        /// Its id.
        id: SessionId,
    },
    /// No such session is stored.
    #[error("no session {id} is stored")]
    NoSuchSession {
        /// Its id.
        id: SessionId,
    },
    /// The store cannot be opened, read or written: permissions, a read-only or full disk.
    #[error("the store {path} is not available: {source}")]
    Unavailable {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// Another process held the store for longer than we wait.
    #[error("the store {path} is busy: {source}")]
    Busy {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Cause,
    },
    /// What is stored cannot be read: the file is damaged or no database.
    #[error("the store {path} is damaged: {source}")]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What could not be read.
        source: Cause,
    },
    /// A newer Aegis has changed the store in a way that this one does not know.
    #[error("the store {path} has version {found}, this Aegis knows up to {known}")]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The version of the store.
        found: i64,
        /// The newest version that is known here.
        known: i64,
    },
    /// A value that the store cannot keep: a path that is not Unicode, a number beyond 2⁶³.
    #[error("{what} cannot be stored")]
    Unstorable {
        /// Which value.
        what: &'static str,
    },
    /// A mistake of ours.
    #[error("the store {path} was used wrongly: {source}")]
    Internal {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Cause,
    },
}

impl StoreError {
    /// The code that an operation fails with because of this.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NameTaken { .. } | Self::TemplateExists { .. } => ErrorCode::NameTaken,
            Self::NoSuchSession { .. } => ErrorCode::NoSuchSession,
            Self::Unavailable { .. } | Self::Busy { .. } | Self::Corrupt { .. } | Self::Newer { .. } => {
                ErrorCode::StorageFailed
            }
            Self::Unstorable { .. } => ErrorCode::InvalidArgument,
            Self::SessionExists { .. } | Self::Internal { .. } => ErrorCode::Internal,
        }
    }
}
