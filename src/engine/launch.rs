//! Starting a holder.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use super::Engine;
use crate::domain::{ErrorCode, OpError};
use crate::fault;
use crate::holder::process::ProcessId;
use crate::holder::run::{Started, read_started};
use crate::holder::{HolderLaunch, SessionDir};

/// How long a holder may take until Claude Code is launched; it takes some 10 ms.
const STARTS: Duration = Duration::from_secs(20);

impl Engine {
    /// Starts a holder, which lives on when this process ends, and waits until it has launched Claude Code.
    ///
    /// # Errors
    ///
    /// `launch_failed`.
    pub(super) async fn start_holder(&self, launch: &HolderLaunch) -> Result<ProcessId, OpError> {
        let failed = |why: String| {
            OpError::new(ErrorCode::LaunchFailed, format!("the session could not start: {why}"))
        };
        let spawned = self.spawn_holder(launch).await;
        let line = spawned.map_err(|error| failed(error.to_string()))?;
        match read_started(&line) {
            Ok(Started::Ready { holder }) => Ok(holder),
            Ok(Started::Failed { why }) => Err(failed(why)),
            Err(_) => Err(failed("its holder ended at once; its log is in the session's directory".into())),
        }
    }

    async fn spawn_holder(&self, launch: &HolderLaunch) -> io::Result<String> {
        let dir = SessionDir::new(&launch.dir);
        let log = File::options().create(true).append(true).open(dir.log())?;
        let needed = ["HOME", "PATH", "TMPDIR", "XDG_RUNTIME_DIR", "LANG", "TZ", fault::VARIABLE];
        let mut child = Command::new(&self.aegis)
            .arg("holder")
            .arg(&launch.dir)
            .env_clear()
            .envs(self.environment.iter().filter(|(name, _)| needed.contains(&name.as_str())))
            .env("AEGIS_LOG", self.config().log_level.as_str())
            .current_dir(&launch.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let started = async {
            // Secrets travel here, not in files or arguments.
            let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
            stdin.write_all(&serde_json::to_vec(launch)?).await?;
            drop(stdin);
            let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).await?;
            Ok(line)
        };
        let line = tokio::time::timeout(STARTS, started).await;
        // Reaped when it ends, if this process is still there then; else the system does it.
        tokio::spawn(async move { child.wait().await });
        line.unwrap_or_else(|_| Err(io::Error::other("its holder did not answer in time")))
    }
}
