//! Where things lie. [`Paths::resolve`] only looks; [`Paths::create`] makes the directories.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::dirs::strictly_private_dir;
use super::{Config, DirError, Sources, private_dir};
use crate::domain::SessionId;

/// The longest path of a socket, in bytes. Systems take 104 (with its end) or 108.
const MAX_SOCKET_PATH: usize = 100;

/// Where things lie. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// What survives: `~/.aegis` unless configured.
    pub state_dir: PathBuf,
    /// The store's file.
    pub database: PathBuf,
    /// A directory for each session's records.
    pub sessions_dir: PathBuf,
    /// Who holds its lock is the steward.
    pub steward_lock: PathBuf,
    /// Written whenever a pipeline was, for those who watch it.
    pub pipelines_mark: PathBuf,
    /// Written whenever there may be something to tell, for the channels.
    pub outbox_mark: PathBuf,
    /// Whose lock on a file in it is held runs that channel.
    pub channels_dir: PathBuf,
    /// In which order the events of all sessions were told.
    pub streams_dir: PathBuf,
    /// The log of what was done, by whom.
    pub audit_dir: PathBuf,
    /// What tools keep between sessions.
    pub data_dir: PathBuf,
    /// The sockets of this state directory's sessions.
    pub socket_dir: PathBuf,
}

/// Why there is no place for something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// Neither a state directory nor a home directory is known.
    #[error("there is no home directory; set AEGIS_STATE_DIR")]
    NoStateDir,
    /// The configured directory for sockets is too deep.
    #[error(
        "a socket in {path} would take {bytes} bytes, the system takes {MAX_SOCKET_PATH}; set runtimeDir shorter"
    )]
    SocketPathTooLong {
        /// The directory.
        path: PathBuf,
        /// The length of a socket's path in it.
        bytes: usize,
    },
    /// A directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirError),
}

impl Paths {
    /// Finds where things lie; makes nothing.
    ///
    /// # Errors
    ///
    /// [`PathsError::NoStateDir`], [`PathsError::SocketPathTooLong`].
    pub fn resolve(config: &Config, sources: &Sources) -> Result<Self, PathsError> {
        let state_dir = match (&config.state_dir, &sources.home) {
            (Some(path), _) => sources.cwd.join(path),
            (None, Some(home)) => home.join(".aegis"),
            (None, None) => return Err(PathsError::NoStateDir),
        };
        // `a/./b/` and `a/b` are one directory and share their sockets.
        let state_dir: PathBuf = state_dir.components().collect();
        let socket_dir = socket_root(config, sources).map(|root| root.join(short_hash(&state_dir)))?;
        Ok(Self {
            database: state_dir.join("aegis.db"),
            sessions_dir: state_dir.join("sessions"),
            steward_lock: state_dir.join("steward.lock"),
            pipelines_mark: state_dir.join("pipelines.changed"),
            outbox_mark: state_dir.join("outbox.changed"),
            channels_dir: state_dir.join("channels"),
            streams_dir: state_dir.join("streams"),
            audit_dir: state_dir.join("audit"),
            data_dir: state_dir.join("data"),
            socket_dir,
            state_dir,
        })
    }

    /// The directory with a session's records. The holder makes it.
    #[must_use]
    pub fn session_dir(&self, id: SessionId) -> PathBuf {
        self.sessions_dir.join(id.to_string())
    }

    /// A session's socket. At most 100 bytes long.
    #[must_use]
    pub fn socket(&self, id: SessionId) -> PathBuf {
        self.socket_dir.join(id.to_string())
    }

    /// Makes the directories, each for this user alone (mode 0700). May be called by many processes at once.
    ///
    /// # Errors
    ///
    /// [`PathsError::Directory`] if one cannot be made, is a symbolic link, or belongs to somebody else; those for
    /// sockets also if they stand open to others.
    pub fn create(&self) -> Result<(), PathsError> {
        for path in [&self.state_dir, &self.sessions_dir, &self.data_dir, &self.channels_dir] {
            private_dir(path)?;
        }
        if let Some(root) = self.socket_dir.parent() {
            strictly_private_dir(root)?;
        }
        strictly_private_dir(&self.socket_dir)?;
        Ok(())
    }
}

/// The directory that holds the sockets of all this user's state directories.
fn socket_root(config: &Config, sources: &Sources) -> Result<PathBuf, PathsError> {
    if let Some(path) = &config.runtime_dir {
        let root = sources.cwd.join(path);
        let bytes = socket_bytes(&root);
        return if bytes <= MAX_SOCKET_PATH {
            Ok(root)
        } else {
            Err(PathsError::SocketPathTooLong { path: root, bytes })
        };
    }
    let us = rustix::process::geteuid().as_raw();
    let private = format!("aegis-{us}");
    let variable = |name: &str| sources.env.get(name).map(Path::new).filter(|path| path.is_absolute());
    // After `su` or in a container the variable may name another user's directory, or none.
    let ours = |path: &&Path| path.metadata().is_ok_and(|found| found.is_dir() && found.uid() == us);
    let runtime = variable("XDG_RUNTIME_DIR").filter(ours).map(|path| path.join("aegis"));
    let temporary = variable("TMPDIR").filter(|path| path.is_dir()).map(|path| path.join(&private));
    let fits = |path: &PathBuf| socket_bytes(path) <= MAX_SOCKET_PATH;
    // `/tmp` is there where the others are missing or too deep, as macOS's own temporary directory is.
    let root = runtime.filter(fits).or(temporary.filter(fits));
    Ok(root.unwrap_or_else(|| Path::new("/tmp").join(private)))
}

/// How many bytes a socket's path takes under `root`: a hash, an id and two separators more.
fn socket_bytes(root: &Path) -> usize {
    root.as_os_str().len() + 1 + HASH_LENGTH + 1 + SESSION_ID_LENGTH
}

/// The length of an id as text, in bytes.
const SESSION_ID_LENGTH: usize = 36;

/// The length of a state directory's hash, in bytes: enough that a user's few state directories never share one.
const HASH_LENGTH: usize = 8;

fn short_hash(path: &Path) -> String {
    let bytes: &OsStr = path.as_os_str();
    let digest = Sha256::digest(bytes.as_bytes());
    digest.iter().take(HASH_LENGTH / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn sources(env: &[(&str, &Path)]) -> Sources {
        let env = env.iter().map(|(name, path)| ((*name).to_owned(), path.as_os_str().to_owned())).collect();
        Sources { file: None, cwd: "/work".into(), home: Some("/home/ada".into()), env }
    }

    fn with_runtime(state: &Path, runtime: &Path) -> Config {
        Config { state_dir: Some(state.into()), runtime_dir: Some(runtime.into()), ..Config::default() }
    }

    #[test]
    fn everything_lies_in_the_state_directory() {
        let paths = Paths::resolve(&Config::default(), &sources(&[])).unwrap();
        assert_eq!(paths.database, Path::new("/home/ada/.aegis/aegis.db"));
        assert_eq!(paths.data_dir, Path::new("/home/ada/.aegis/data"));
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(paths.socket_dir.parent().unwrap(), Path::new("/tmp").join(format!("aegis-{us}")));
    }

    #[test]
    fn the_runtime_directory_is_taken_if_it_is_ours_and_short() {
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let taken =
            Paths::resolve(&Config::default(), &sources(&[("XDG_RUNTIME_DIR", root.path())])).unwrap();
        assert_eq!(taken.socket_dir.parent().unwrap(), root.path().join("aegis"));
        let deep = root.path().join("d".repeat(60));
        std::fs::create_dir(&deep).unwrap();
        for unfit in [deep, root.path().join("missing")] {
            let env = [("XDG_RUNTIME_DIR", &*unfit), ("TMPDIR", &*unfit)];
            let paths = Paths::resolve(&Config::default(), &sources(&env)).unwrap();
            assert!(paths.socket_dir.starts_with("/tmp") && !paths.socket_dir.starts_with(&unfit));
            assert!(paths.socket(SessionId::mint()).as_os_str().len() <= MAX_SOCKET_PATH);
        }
    }

    #[test]
    fn a_configured_directory_that_is_too_deep_is_refused() {
        let deep = PathBuf::from(format!("/{}", "d".repeat(60)));
        let error = Paths::resolve(&with_runtime(Path::new("/s"), &deep), &sources(&[])).unwrap_err();
        assert!(matches!(error, PathsError::SocketPathTooLong { bytes: 107, .. }), "{error}");
    }

    #[test]
    fn two_state_directories_never_share_sockets() {
        let at = |state: &str| {
            Paths::resolve(&with_runtime(Path::new(state), Path::new("/r")), &sources(&[]))
                .unwrap()
                .socket_dir
        };
        assert_ne!(at("/a"), at("/b"));
        assert_eq!(at("/a/./b/"), at("/a/b"));
    }

    #[test]
    fn directories_are_made_for_us_alone_and_open_sockets_refused() {
        let root = tempfile::tempdir().unwrap();
        let config = with_runtime(&root.path().join("state"), &root.path().join("run"));
        let paths = Paths::resolve(&config, &sources(&[])).unwrap();
        paths.create().unwrap();
        paths.create().unwrap();
        for path in [&paths.state_dir, &paths.sessions_dir, &paths.data_dir, &paths.socket_dir] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
        }
        std::fs::set_permissions(root.path().join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(paths.create(), Err(PathsError::Directory(DirError::Open { .. }))));
    }
}
