//! The `claude` program: where it is, and which version.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::{ClaudeProgram, Engine};
use crate::claude::version::{OLDEST_SUPPORTED, Version};
use crate::domain::{ErrorCode, OpError};

/// How long `claude --version` may take; it loads the whole program, 0.1 to 1 s.
const ANSWERS: Duration = Duration::from_secs(15);

impl Engine {
    /// Finds the program and its version.
    ///
    /// # Errors
    ///
    /// `claude_not_found`.
    pub(super) async fn program(&self) -> Result<ClaudeProgram, OpError> {
        let configured = self.config().claude_path.clone().unwrap_or_else(|| PathBuf::from("claude"));
        let search = self.environment.get("PATH").map(String::as_str).unwrap_or_default();
        let path = locate(&configured, search).ok_or_else(|| {
            let what = if configured.components().count() > 1 {
                format!("`{}` is not a program", configured.display())
            } else {
                format!("no `{}` in PATH", configured.display())
            };
            OpError::new(ErrorCode::ClaudeNotFound, what)
        })?;
        let version = self.version(&path).await;
        // A version that cannot be told is let through: the session's own signs decide.
        let supported = version.as_deref().and_then(Version::parse).is_none_or(Version::supported);
        Ok(ClaudeProgram { path, version, supported })
    }

    /// The program for a launch.
    ///
    /// # Errors
    ///
    /// `claude_not_found`, `claude_unsupported`.
    pub(super) async fn supported_program(&self) -> Result<ClaudeProgram, OpError> {
        let program = self.program().await?;
        if program.supported {
            return Ok(program);
        }
        let version = program.version.unwrap_or_default();
        let what = format!("Claude Code {version} is too old; Aegis needs {OLDEST_SUPPORTED} or later");
        Err(OpError::new(ErrorCode::ClaudeUnsupported, what))
    }

    async fn version(&self, path: &Path) -> Option<String> {
        let real = fs::canonicalize(path).ok()?;
        if let Some(version) = packaged(&real) {
            return Some(version);
        }
        let meta = fs::metadata(&real).ok()?;
        let stamp = format!("{}.{}.{}", meta.mtime(), meta.mtime_nsec(), meta.size());
        let (key, mark) = (real.clone(), stamp.clone());
        if let Ok(Some(known)) = self.db(move |store| store.claude_version(&key, &mark)).await {
            return Some(known);
        }
        let version = ask(&real, &self.environment).await?;
        let told = version.clone();
        let _ = self.db(move |store| store.set_claude_version(&real, &stamp, &told)).await;
        Some(version)
    }
}

/// Finds a program by its path, or by its name in a search path.
fn locate(program: &Path, search: &str) -> Option<PathBuf> {
    let runnable = |path: &Path| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 {
        return runnable(program).then(|| program.to_owned());
    }
    let dirs = search.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(program));
    dirs.filter(|path| path.is_absolute()).find(|path| runnable(path))
}

/// The version that the npm package around the program names.
fn packaged(real: &Path) -> Option<String> {
    let package =
        real.ancestors().skip(1).take(2).map(|dir| dir.join("package.json")).find(|path| path.is_file())?;
    let json: Value = serde_json::from_slice(&fs::read(package).ok()?).ok()?;
    let ours = json["name"].as_str().is_some_and(|name| name.starts_with("@anthropic-ai/claude-code"));
    let version = json["version"].as_str().filter(|_| ours)?;
    Version::parse(version).map(|version| version.to_string())
}

/// Asks the program itself, with nothing of the environment but what it needs to run.
async fn ask(path: &Path, environment: &BTreeMap<String, String>) -> Option<String> {
    let needed = ["HOME", "PATH", "CLAUDE_CONFIG_DIR"];
    let asked = tokio::process::Command::new(path)
        .arg("--version")
        .env_clear()
        .envs(environment.iter().filter(|(name, _)| needed.contains(&name.as_str())))
        .env("DISABLE_AUTOUPDATER", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(ANSWERS, asked).await.ok()?.ok()?;
    Version::parse(&String::from_utf8_lossy(&output.stdout)).map(|version| version.to_string())
}
