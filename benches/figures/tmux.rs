//! The same work done with tmux: a server of our own in the laboratory, keys sent, the screen captured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::support::Lab;
use super::support::processes::come;
use super::support::tasks::PATIENCE;

/// How often a script looks at the screen. Each look starts a process; scripts that people write look less often.
pub const LOOK: Duration = Duration::from_millis(50);

pub fn installed() -> bool {
    Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A tmux server with its sessions.
pub struct Tmux {
    socket: PathBuf,
    env: Vec<(String, std::ffi::OsString)>,
    project: PathBuf,
    program: PathBuf,
}

impl Tmux {
    /// Prepares a server; the first session starts it. None without tmux.
    pub fn new(lab: &Lab) -> Option<Self> {
        installed().then(|| Self {
            socket: lab.root.join("tmux.sock"),
            env: lab.session_env(),
            project: lab.project.clone(),
            program: Path::new(&lab.env["AEGIS_CLAUDE_PATH"]).to_owned(),
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(args);
        command.current_dir(&self.project).stdin(Stdio::null());
        command
    }

    async fn run(&self, args: &[&str]) -> String {
        let output = tokio::process::Command::from(self.command(args)).output().await.unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the program in a session of this name.
    pub async fn start(&self, name: &str, args: &[&str]) {
        let program = self.program.to_str().unwrap();
        let mut command = vec!["new-session", "-d", "-s", name, "-x", "120", "-y", "40", "--", program];
        command.extend(args);
        self.run(&command).await;
    }

    /// Starts the server without a session.
    pub async fn start_server(&self) {
        self.run(&["start-server", ";", "set-option", "-g", "exit-empty", "off"]).await;
    }

    pub async fn kill(&self, name: &str) {
        self.run(&["kill-session", "-t", name]).await;
    }

    /// The server's process.
    pub async fn server(&self) -> i32 {
        self.run(&["display-message", "-p", "#{pid}"]).await.trim().parse().unwrap()
    }

    /// The program in a session.
    pub async fn pane(&self, name: &str) -> i32 {
        self.run(&["list-panes", "-t", name, "-F", "#{pane_pid}"]).await.trim().parse().unwrap()
    }

    pub async fn capture(&self, name: &str) -> String {
        self.run(&["capture-pane", "-p", "-t", name]).await
    }

    pub async fn keys(&self, name: &str, keys: &str) {
        self.run(&["send-keys", "-t", name, keys]).await;
    }

    /// Looks at the screen again and again until it is as wanted.
    pub async fn until(&self, name: &str, what: &str, wanted: impl Fn(&str) -> bool) {
        let looking = async {
            while !wanted(&self.capture(name).await) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("tmux never showed {what}:\n{}", self.capture(name).await);
        }
    }

    /// Pastes a text, waits until it is seen, and presses Enter.
    pub async fn send(&self, name: &str, text: &str) {
        self.run(&["set-buffer", "-b", "prompt", "--", text]).await;
        self.run(&["paste-buffer", "-p", "-d", "-b", "prompt", "-t", name]).await;
        self.until(name, text, |pane| pane.contains(text)).await;
        self.keys(name, "Enter").await;
    }

    /// Ends the server with all its sessions.
    pub async fn end(self) {
        let server = self.server().await;
        self.run(&["kill-server"]).await;
        come("tmux's end", async || (!super::support::processes::alive(server)).then_some(())).await;
    }
}
