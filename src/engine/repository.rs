//! Which repository a directory is a clone of, read from git's own file. No program is run.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Engine;
use super::names::work_dir;
use crate::domain::{ErrorCode, OpError};

/// The most of a git file that is read, in bytes. Real ones have a few hundred; more is somebody's joke.
const LONGEST: u64 = 1 << 20;

/// An owner and a name, as a forge has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// A user or an organisation.
    pub owner: String,
    /// The repository, without `.git`.
    pub name: String,
}

/// A directory to work in, and what it is a clone of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The real directory.
    pub work_dir: PathBuf,
    /// What its git remote names: that of `origin`, else the only one.
    pub remote: Option<Repository>,
}

impl Engine {
    /// Finds a directory that sessions may work in, and what it is a clone of.
    ///
    /// # Errors
    ///
    /// `work_dir_refused`.
    pub async fn project(&self, given: &str) -> Result<Project, OpError> {
        let (given, config, state_dir) =
            (given.to_owned(), (*self.config()).clone(), self.paths.state_dir.clone());
        let found = tokio::task::spawn_blocking(move || {
            let work_dir = work_dir(&given, &config, &state_dir)?;
            let remote = config_file(&work_dir).and_then(|file| remote(&read(&file)?));
            Ok(Project { work_dir, remote })
        });
        found.await.unwrap_or_else(|error| {
            Err(OpError::new(ErrorCode::Internal, format!("the directory could not be read: {error}")))
        })
    }
}

/// Reads a text file, no more than [`LONGEST`] of it, and nothing that could make the reader wait.
pub(super) fn read(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The configuration of the repository that `dir` lies in; a worktree's is that of its main repository.
fn config_file(dir: &Path) -> Option<PathBuf> {
    let git = dir.ancestors().map(|above| above.join(".git")).find(|git| git.exists())?;
    if git.is_dir() {
        return Some(git.join("config"));
    }
    let place = read(&git)?;
    let own = git.parent()?.join(place.trim().strip_prefix("gitdir:")?.trim());
    let common = match read(&own.join("commondir")) {
        Some(common) => own.join(common.trim()),
        None => own,
    };
    Some(common.join("config"))
}

/// Reads the remote out of a git configuration.
fn remote(config: &str) -> Option<Repository> {
    let mut urls: Vec<(String, String)> = Vec::new();
    let mut section = None;
    for line in config.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split_once(']').map(|(header, _)| header.trim());
            let remote = name.and_then(|name| name.strip_prefix("remote")).map(str::trim);
            section = remote.map(|name| name.trim_matches('"').to_owned());
        } else if let (Some(remote), Some((key, value))) = (&section, line.split_once('='))
            && key.trim().eq_ignore_ascii_case("url")
            && !urls.iter().any(|(known, _)| known == remote)
        {
            urls.push((remote.clone(), value.trim().trim_matches('"').to_owned()));
        }
    }
    let origin = urls.iter().find(|(remote, _)| remote == "origin");
    let only = || urls.first().filter(|_| urls.len() == 1);
    origin.or_else(only).and_then(|(_, url)| of_url(url))
}

/// Reads owner and name out of `https://host/owner/name.git`, `ssh://git@host/owner/name` or `git@host:owner/name`.
fn of_url(url: &str) -> Option<Repository> {
    let path = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => rest.split_once('/')?.1,
        Some(_) => return None,
        None => {
            let (host, path) = url.split_once(':')?;
            // A path of this machine has no host.
            (!host.contains('/')).then_some(path)?
        }
    };
    let path = path.trim_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
    let one = |part: &str| !part.is_empty() && !part.contains('/');
    (one(owner) && one(name)).then(|| Repository { owner: owner.into(), name: name.into() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::https("https://github.com/ada/engine.git", Some(("ada", "engine")))]
    #[case::bare("https://github.com/ada/engine", Some(("ada", "engine")))]
    #[case::with_a_secret("https://x:token@github.com/ada/engine.git/", Some(("ada", "engine")))]
    #[case::scp("git@github.com:ada/engine.git", Some(("ada", "engine")))]
    #[case::ssh("ssh://git@github.com:22/ada/engine.git", Some(("ada", "engine")))]
    #[case::dotted("git@github.com:ada/engine.rs", Some(("ada", "engine.rs")))]
    #[case::local("/srv/git/engine.git", None)]
    #[case::file("file:///srv/ada/engine.git", None)]
    #[case::deep("https://gitlab.com/group/sub/engine", None)]
    #[case::no_name("https://github.com/ada", None)]
    #[case::helper("ext::sh -c x", None)]
    fn a_url_names_owner_and_repository(#[case] url: &str, #[case] expected: Option<(&str, &str)>) {
        let found = of_url(url);
        let found = found.as_ref().map(|found| (found.owner.as_str(), found.name.as_str()));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::origin_first(
        "[core]\n\turl = no\n[remote \"up\"]\n\turl = git@h:a/b\n[remote \"origin\"]\n\tURL = git@h:c/d.git\n",
        Some("c/d")
    )]
    #[case::the_only_one("[remote \"up\"]\n  url = \"git@h:a/b\"\n  fetch = +refs\n", Some("a/b"))]
    #[case::which("[remote \"one\"]\nurl = git@h:a/b\n[remote \"two\"]\nurl = git@h:c/d\n", None)]
    #[case::none("[core]\n", None)]
    #[case::rubbish("]][[=\n[remote\nurl", None)]
    fn the_remote_is_read(#[case] config: &str, #[case] expected: Option<&str>) {
        let found = remote(config).map(|found| format!("{}/{}", found.owner, found.name));
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_worktree_has_the_remote_of_its_repository() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("main/.git");
        fs::create_dir_all(main.join("worktrees/side")).unwrap();
        fs::write(main.join("config"), "[remote \"origin\"]\nurl = git@h:a/b\n").unwrap();
        fs::write(main.join("worktrees/side/commondir"), "../..\n").unwrap();
        let side = dir.path().join("side");
        fs::create_dir_all(side.join("deep")).unwrap();
        let gitdir = format!("gitdir: {}\n", main.join("worktrees/side").display());
        fs::write(side.join(".git"), gitdir).unwrap();
        for place in [dir.path().join("main"), side.join("deep")] {
            let found = config_file(&place).and_then(|file| remote(&read(&file)?));
            assert_eq!(found.unwrap().name, "b", "{place:?}");
        }
    }
}
