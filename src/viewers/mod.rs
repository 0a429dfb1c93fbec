//! Windows for people who live in tmux: each session gets one, in which `aegis attach` runs.
//!
//! Any number of servers may do this at once: a session's window is claimed before it is opened, so it gets one, and
//! one that was closed does not come back. Closing it ends nothing but the view.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use crate::domain::{ErrorCode, OpError, Session, SessionId};
use crate::ops::{Aegis, Caller, SessionRef};

/// The multiplexer: tmux, and where there is none its twin.
const PROGRAM: &str = if cfg!(windows) { "psmux" } else { "tmux" };

/// The tmux session that the windows are in.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The name of the tmux session; it is made if there is none.
    name: String,
    /// The `aegis` program.
    aegis: PathBuf,
    /// What `aegis attach` must be told to find the same sessions.
    environment: Vec<(String, String)>,
    /// The size of a window that nobody looks at: columns, rows.
    size: (u16, u16),
}

impl Windows {
    /// Prepares for a tmux session of this name.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a name that tmux cannot have.
    pub fn new(
        name: String,
        aegis: PathBuf,
        environment: Vec<(String, String)>,
        size: (u16, u16),
    ) -> Result<Self, OpError> {
        // tmux reads these as the borders between session, window and pane.
        if name.is_empty() || name.contains([':', '.']) || name.chars().any(char::is_control) {
            let what = format!("`{name}` cannot be the name of a tmux session");
            return Err(OpError::new(ErrorCode::InvalidArgument, what)
                .hint("choose a name without `:` and `.` for tmuxSession (AEGIS_TMUX_SESSION)"));
        }
        Ok(Self { name, aegis, environment, size })
    }

    /// Opens a window for every live session that has had none, and for each that comes, until it is dropped.
    pub async fn follow(self, aegis: Aegis, caller: Caller) {
        let mut roster = match aegis.roster(&caller).await {
            Ok(roster) => roster,
            Err(error) => return tracing::warn!(%error, "no windows are opened in tmux"),
        };
        let mut seen = BTreeSet::new();
        loop {
            let live = roster.ids();
            seen.retain(|id| live.contains(id));
            for id in live {
                if seen.insert(id)
                    && let Err(error) = self.show(&aegis, &caller, id).await
                {
                    tracing::warn!(%error, session = %id, "no window in tmux: {}", error.hint);
                }
            }
            roster.changed().await;
        }
    }

    async fn show(&self, aegis: &Aegis, caller: &Caller, id: SessionId) -> Result<(), OpError> {
        if !aegis.claim_window(caller, id).await? {
            return Ok(());
        }
        let session = aegis.get_status(caller, SessionRef { session_id: id.to_string() }).await?.session;
        // Another server may make the tmux session at the same moment.
        for attempt in [Self::window, Self::session, Self::window] {
            let mut command = attempt(self, &session);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            let status = command.status().await.map_err(|error| {
                OpError::new(ErrorCode::Internal, format!("{PROGRAM} cannot be run: {error}"))
                    .hint("install tmux, or leave tmuxSession (AEGIS_TMUX_SESSION) out")
            })?;
            if status.success() {
                return Ok(());
            }
        }
        let what = format!("{PROGRAM} opened no window in its session `{}`", self.name);
        Err(OpError::new(ErrorCode::Internal, what).hint("`tmux new-session` in a terminal tells why"))
    }

    fn window(&self, session: &Session) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["new-window", "-d", "-t", &format!("={}:", self.name)]);
        self.viewer(command, session)
    }

    fn session(&self, session: &Session) -> Command {
        let (cols, rows) = self.size;
        let mut command = Command::new(PROGRAM);
        command.args([
            "new-session",
            "-d",
            "-s",
            &self.name,
            "-x",
            &cols.to_string(),
            "-y",
            &rows.to_string(),
        ]);
        self.viewer(command, session)
    }

    /// What is shown in the window. Given as separate words, so no shell reads it.
    fn viewer(&self, mut command: Command, session: &Session) -> Command {
        command.args(["-n", &session.name]);
        for (name, value) in &self.environment {
            command.args(["-e", &format!("{name}={value}")]);
        }
        command.arg("--").arg(&self.aegis).arg("attach").arg(session.id.to_string());
        command
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("aegis", true)]
    #[case("my work", true)]
    #[case("", false)]
    #[case("a:b", false)]
    #[case("a.b", false)]
    #[case("a\nb", false)]
    fn names_are_those_that_tmux_can_have(#[case] name: &str, #[case] fine: bool) {
        assert_eq!(Windows::new(name.into(), "aegis".into(), Vec::new(), (120, 40)).is_ok(), fine);
    }
}
