//! The checks, one function each.

use std::path::Path;
use std::process::Stdio;

use super::Check;
use crate::cli::{Cx, health, text};
use crate::domain::{ErrorCode, OpError, Session};
use crate::ops::{ListSessions, ServerHealth, SessionRef, StewardPlace};

/// The longest path of a socket that is used, in bytes. Systems take 104 (with its end) or 108.
const LONGEST_SOCKET: usize = 100;

/// What a socket's name adds to its directory: a separator and an id.
const SOCKET_NAME: usize = 1 + 36;

/// The program is there and of a version that works.
pub(super) fn claude(health: &ServerHealth) -> Check {
    let found = health::claude(health);
    let claude = &health.claude;
    if claude.found && claude.supported {
        return Check::good("claude", found);
    }
    let code = if claude.found { ErrorCode::ClaudeUnsupported } else { ErrorCode::ClaudeNotFound };
    Check::bad("claude", found, claude.hint.clone().unwrap_or_else(|| code.default_hint().into()))
}

/// The state directory belongs to this user alone and can be written.
pub(super) fn state_dir(dir: &str) -> Check {
    private_dir("state directory", Path::new(dir))
}

/// The sockets' directory likewise, and its path leaves room for a socket's name.
pub(super) fn sockets(dir: &Path) -> Check {
    const NAME: &str = "sockets";
    let length = dir.as_os_str().len() + SOCKET_NAME;
    if length > LONGEST_SOCKET {
        let found = format!("{}: socket paths of {length} bytes, {LONGEST_SOCKET} fit", dir.display());
        return Check::bad(NAME, found, "set runtimeDir in the configuration to a shorter path");
    }
    if !dir.exists() {
        return Check::good(NAME, format!("{} (made when first needed)", dir.display()));
    }
    private_dir(NAME, dir)
}

fn private_dir(name: &str, dir: &Path) -> Check {
    let shown = dir.display();
    let metadata = match std::fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Check::bad(
                name,
                format!("{shown}: {error}"),
                format!("make it: mkdir -m 700 -p '{shown}'"),
            );
        }
    };
    if !metadata.is_dir() {
        return Check::bad(name, format!("{shown} is no directory"), format!("move '{shown}' away"));
    }
    if let Some(mode) = open_to_others(&metadata) {
        let found = format!("{shown} has mode {mode:04o}: others can reach it");
        return Check::bad(name, found, format!("chmod 700 '{shown}'"));
    }
    match tempfile::tempfile_in(dir) {
        Ok(_) => Check::good(name, shown.to_string()),
        Err(error) => Check::bad(
            name,
            format!("{shown} cannot be written: {error}"),
            "check its owner and the space on its disk",
        ),
    }
}

/// The mode, if it lets others in.
#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere a user's directories are private by where they are.
#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> Option<u32> {
    None
}

/// The store opens and answers.
pub(super) fn store(health: &ServerHealth) -> Check {
    let store = &health.store;
    if store.ok {
        return Check::good("store", format!("{} answers", store.kind));
    }
    Check::bad("store", format!("{} does not answer", store.kind), ErrorCode::StorageFailed.default_hint())
}

/// Where the steward runs; nowhere is well while no server runs.
pub(super) fn steward(health: &ServerHealth) -> Check {
    let found = match health.steward {
        StewardPlace::Here | StewardPlace::Elsewhere => health::steward(health.steward).to_owned(),
        StewardPlace::None => "nowhere; the next server takes it over".to_owned(),
    };
    Check::good("steward", found)
}

/// Every live session's holder answers.
pub(super) async fn holders(cx: &Cx) -> Check {
    const NAME: &str = "holders";
    match silent(cx).await {
        Ok((0, _)) => Check::good(NAME, "no live sessions"),
        Ok((live, silent)) if silent.is_empty() => {
            Check::good(NAME, format!("{} answer", text::count(live, "session")))
        }
        Ok((live, silent)) => {
            let ids: Vec<String> = silent.iter().map(|session| text::short(session.id)).collect();
            let found = format!("{} of {live} do not answer: {}", silent.len(), ids.join(", "));
            Check::bad(NAME, found, "`aegis show` tells more of each; `aegis kill --force` ends one")
        }
        Err(error) => Check::bad(NAME, error.message, error.hint),
    }
}

/// How many sessions are live, and those whose holder does not answer.
async fn silent(cx: &Cx) -> Result<(usize, Vec<Session>), OpError> {
    let mut request = ListSessions { limit: Some(200), ..ListSessions::default() };
    let (mut live, mut silent) = (0, Vec::new());
    loop {
        let page = cx.aegis.list_sessions(&cx.caller, request.clone()).await?;
        live += page.sessions.len();
        for session in page.sessions {
            let one = SessionRef { session_id: session.id.to_string() };
            if !cx.aegis.get_status(&cx.caller, one).await?.health.holder.reachable {
                silent.push(session);
            }
        }
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok((live, silent)),
        }
    }
}

/// npm is there, for when Claude Code has still to be installed.
pub(super) async fn npm() -> Check {
    let run = tokio::process::Command::new("npm").arg("--version").stdin(Stdio::null()).output().await;
    match run {
        Ok(output) if output.status.success() => {
            Check::good("npm", String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => Check::bad(
            "npm",
            format!("`npm --version` failed: {}", String::from_utf8_lossy(&output.stderr).trim()),
            "repair Node.js, or install Claude Code another way",
        ),
        Err(_) => {
            Check::bad("npm", "not found", "install Node.js 18 or newer, or install Claude Code another way")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_socket_path_is_refused_before_a_session_finds_out() {
        let check = sockets(Path::new(&format!("/{}", "x".repeat(80))));
        assert!(!check.ok && check.next.unwrap().contains("runtimeDir"));
        assert!(sockets(Path::new("/run/user/1000/missing")).ok);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_reach_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
        mode(0o755);
        let check = private_dir("state directory", dir.path());
        assert!(check.found.contains("0755"), "{check:?}");
        mode(0o700);
        assert!(private_dir("state directory", dir.path()).ok);
        assert!(!private_dir("state directory", &dir.path().join("none")).ok);
    }
}
