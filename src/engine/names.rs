//! Names and directories: what a caller may give, and what is made up.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::domain::{ErrorCode, OpError, SessionId};

/// How long a session's name may be, in characters.
pub(super) const LONGEST_NAME: usize = 64;

/// Checks a caller's name for something, of at most `most` characters.
///
/// # Errors
///
/// `invalid_argument`.
pub(super) fn check_name(name: &str, most: usize) -> Result<(), OpError> {
    let wrong = if name.trim().is_empty() {
        "is blank".into()
    } else if name.chars().count() > most {
        format!("has more than {most} characters")
    } else if name.chars().any(char::is_control) {
        "holds a control character".into()
    } else if name.parse::<SessionId>().is_ok() {
        "looks like an id".into()
    } else {
        return Ok(());
    };
    Err(OpError::new(ErrorCode::InvalidArgument, format!("the name {wrong}")).hint("give a short plain name"))
}

/// Checks the name of a worktree, which becomes a directory and a branch, and that there is a repository for it.
///
/// # Errors
///
/// `invalid_argument`, `work_dir_refused`.
pub(super) fn check_worktree(name: &str, dir: &Path) -> Result<(), OpError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || !name.chars().all(plain)
        || name.starts_with(['.', '-'])
    {
        return Err(OpError::new(ErrorCode::InvalidArgument, format!("`{name}` cannot name a worktree"))
            .hint("use letters, digits, `.`, `_` and `-`, beginning with a letter or digit"));
    }
    if !dir.ancestors().any(|above| above.join(".git").exists()) {
        let what = format!("workDir `{}` is in no git repository, so it can have no worktree", dir.display());
        return Err(
            OpError::new(ErrorCode::WorkDirRefused, what).hint("leave worktree out, or run git init there")
        );
    }
    Ok(())
}

/// Makes a name up from the directory and the id.
pub(super) fn make_name(work_dir: &Path, id: SessionId) -> String {
    let base =
        work_dir.file_name().map_or_else(|| "session".into(), |name| name.to_string_lossy().into_owned());
    let short: String = base.chars().filter(|c| !c.is_control()).take(40).collect();
    let id = id.to_string();
    // Two of two hundred sessions in one directory would share four digits one time in four.
    format!("{short}-{}", &id[..8])
}

/// Finds the real directory that is meant, and refuses what is not allowed.
///
/// # Errors
///
/// `work_dir_refused`.
pub(super) fn work_dir(given: &str, config: &Config, state_dir: &Path) -> Result<PathBuf, OpError> {
    let refuse = |why: String| OpError::new(ErrorCode::WorkDirRefused, why);
    let path = Path::new(given);
    if !path.is_absolute() {
        return Err(refuse(format!("workDir `{given}` is not an absolute path")));
    }
    let real = fs::canonicalize(path)
        .map_err(|error| refuse(format!("workDir `{given}` cannot be used: {error}")))?;
    if !real.is_dir() {
        return Err(refuse(format!("workDir `{given}` is not a directory")));
    }
    if real.to_str().is_none() {
        return Err(refuse(format!("workDir `{given}` has a name that is not UTF-8")));
    }
    if below_any(&real, &[state_dir.to_owned()]) {
        return Err(refuse(format!("workDir `{given}` lies in Aegis's own state directory")));
    }
    if !config.allowed_roots.is_empty() && !below_any(&real, &config.allowed_roots) {
        let roots: Vec<_> = config.allowed_roots.iter().map(|root| root.display().to_string()).collect();
        return Err(refuse(format!("workDir `{given}` is outside of what the configuration allows"))
            .hint(format!("choose a directory below: {}", roots.join(", "))));
    }
    Ok(real)
}

/// Whether the real path lies in one of the roots, links resolved.
pub(super) fn below_any(real: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| real.starts_with(fs::canonicalize(root).unwrap_or_else(|_| root.clone())))
}
