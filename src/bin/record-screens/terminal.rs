//! A program in a pseudo-terminal, and waiting for what it shows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Write};
use std::path::Path;
use std::time::Duration;

use aegis::term::Grid;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use regex::Regex;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Fault;

/// How long a screen may take to come. Claude Code says after 20 s that the API is silent; the rest is room.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long a screen has to stay as it is to count as drawn to its end: the program draws late parts (tips, the
/// effort level) up to 200 ms after the box.
const STILL: Duration = Duration::from_millis(350);

/// A running program and what stands on its terminal.
pub(crate) struct Terminal {
    grid: Grid,
    output: mpsc::UnboundedReceiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts `program` with exactly this environment.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: &BTreeMap<OsString, OsString>,
        work_dir: &Path,
        (cols, rows): (u16, u16),
    ) -> Result<Self, Fault> {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })?;
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        environment.iter().for_each(|(name, value)| command.env(name, value));
        command.cwd(work_dir);
        let child = pair.slave.spawn_command(command)?;
        // Kept open, the slave would hide the program's end.
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader()?;
        let input = pair.master.take_writer()?;
        let (sender, output) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 16 << 10];
            while let Ok(len @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { grid: Grid::new(cols, rows, 0), output, input, child, _master: pair.master })
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[u8]) -> Result<(), Fault> {
        self.input.write_all(keys)?;
        Ok(self.input.flush()?)
    }

    /// Waits until a whole frame matches `shown`, and, with `still`, until nothing on it changes any more.
    pub(crate) async fn wait(&mut self, shown: &Regex, still: bool) -> Result<(), Fault> {
        let deadline = Instant::now() + PATIENCE;
        let mut screen = self.grid.screen();
        let mut unchanged_since = Instant::now();
        loop {
            let fits = self.grid.whole() && shown.is_match(&screen.text());
            let due = unchanged_since + STILL;
            if fits && (!still || Instant::now() >= due) {
                return Ok(());
            }
            match timeout_at(if fits { due.min(deadline) } else { deadline }, self.output.recv()).await {
                Ok(Some(bytes)) => {
                    let answers = self.grid.feed(&bytes);
                    self.press(&answers)?;
                }
                Ok(None) => return Err(format!("the program ended:\n{}", screen.text()).into()),
                Err(_) => {}
            }
            if self.grid.whole() && self.grid.screen() != screen {
                screen = self.grid.screen();
                unchanged_since = Instant::now();
            }
            if Instant::now() >= deadline {
                let what = if fits { "never comes to rest" } else { "does not come" };
                return Err(format!("{shown} {what}:\n{}", screen.text()).into());
            }
        }
    }

    /// The bytes that draw what stands on the screen.
    pub(crate) fn redraw(&self) -> Vec<u8> {
        self.grid.redraw()
    }

    /// What stands on the screen.
    pub(crate) fn text(&self) -> String {
        self.grid.screen().text()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Its own tools may outlive it for some seconds; they end by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
