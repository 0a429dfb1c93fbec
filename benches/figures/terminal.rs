//! The bare program in a terminal, typed into the way a careful script does it.

use super::support::Lab;
use super::support::outside::{Terminal, terminal_command};

/// Claude Code without anything around it.
pub struct Bare(pub Terminal);

impl Bare {
    pub fn start(lab: &Lab, args: &[&str]) -> Self {
        let program = lab.env["AEGIS_CLAUDE_PATH"].to_str().unwrap();
        let mut command = terminal_command(program, args, &lab.project);
        for (name, value) in lab.session_env() {
            command.env(name, value);
        }
        Self(Terminal::running(command, (120, 40)))
    }

    /// Pastes a text, waits until it is seen, and presses Enter.
    pub async fn send(&mut self, text: &str) {
        self.0.keys(&format!("\x1b[200~{text}\x1b[201~"));
        self.0.until(text).await;
        self.0.keys("\r");
    }
}
