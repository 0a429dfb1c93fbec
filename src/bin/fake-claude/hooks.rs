//! The hooks of the settings file, run as Claude Code runs them: the event on stdin, an answer on stdout.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a hook may run that names no time of its own.
const LONGEST: u64 = 600;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    hooks: BTreeMap<String, Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    matcher: String,
    hooks: Vec<Handler>,
}

/// One command.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Handler {
    command: String,
    /// Given: the program's arguments, without a shell. Else the command is a shell line.
    args: Option<Vec<String>>,
    /// In seconds.
    timeout: Option<u64>,
    /// Whether nothing waits for it.
    #[serde(default, rename = "async")]
    beside: bool,
}

/// The hooks of all events.
#[derive(Default)]
pub(crate) struct Hooks {
    events: BTreeMap<String, Vec<Group>>,
}

impl Hooks {
    /// Reads a settings file.
    ///
    /// # Errors
    ///
    /// What Claude Code prints for a file that is missing or is no settings.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let text =
            fs::read(path).map_err(|_| format!("Error: Settings file not found: {}", path.display()))?;
        let settings: Settings =
            serde_json::from_slice(&text).map_err(|error| format!("Error: Invalid settings: {error}"))?;
        Ok(Self { events: settings.hooks })
    }

    /// The commands for an event, about a tool or from a source where it has one.
    pub(crate) fn handlers(&self, event: &str, about: Option<&str>) -> Vec<Handler> {
        let groups = self.events.get(event).into_iter().flatten();
        groups.filter(|group| group.matches(about)).flat_map(|group| group.hooks.iter().cloned()).collect()
    }
}

impl Group {
    /// Of the patterns that Claude Code knows only lists of names, and all but one name.
    fn matches(&self, about: Option<&str>) -> bool {
        let but = self.matcher.strip_prefix("^(?!").and_then(|rest| rest.strip_suffix("$)"));
        match (self.matcher.as_str(), but, about) {
            ("" | "*", _, _) | (_, _, None) => true,
            (_, Some(but), Some(about)) => but != about,
            (names, None, Some(about)) => names.split('|').any(|name| name == about),
        }
    }
}

/// What a hook decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    pub(crate) message: String,
    pub(crate) interrupt: bool,
    pub(crate) input: Option<Map<String, Value>>,
    /// The permission mode that goes on from here.
    pub(crate) mode: Option<String>,
}

impl Decision {
    /// Reads a hook's answer; no opinion is none.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let output = &answer["hookSpecificOutput"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(word) = output["permissionDecision"].as_str() {
            let message = text(&output["permissionDecisionReason"]);
            let input = output["updatedInput"].as_object().cloned();
            let decision = Self { allowed: word == "allow", message, input, ..Self::default() };
            return matches!(word, "allow" | "deny").then_some(decision);
        }
        let decision = &output["decision"];
        let behavior = decision["behavior"].as_str()?;
        let updates = decision["updatedPermissions"].as_array().into_iter().flatten();
        let mode = updates.filter(|update| update["type"] == "setMode").find_map(|u| u["mode"].as_str());
        Some(Self {
            allowed: behavior == "allow",
            message: text(&decision["message"]),
            interrupt: decision["interrupt"] == true,
            input: decision["updatedInput"].as_object().cloned(),
            mode: mode.map(str::to_owned),
        })
    }
}

/// Runs all commands at the same time and gives the first answer that decides something; the others are ended then.
pub(crate) async fn run(
    handlers: Vec<Handler>,
    payload: Value,
    env: Vec<(&'static str, String)>,
) -> Option<Decision> {
    let (beside, handlers): (Vec<_>, Vec<_>) = handlers.into_iter().partition(|handler| handler.beside);
    for handler in beside {
        let (payload, env) = (payload.clone(), env.clone());
        tokio::spawn(async move { handler.run(&payload, &env).await });
    }
    let mut running: FuturesUnordered<_> =
        handlers.iter().map(|handler| handler.run(&payload, &env)).collect();
    while let Some(answer) = running.next().await {
        if let Some(decision) = answer.as_ref().and_then(Decision::read) {
            return Some(decision);
        }
    }
    None
}

impl Handler {
    async fn run(&self, payload: &Value, env: &[(&'static str, String)]) -> Option<Value> {
        let (program, args) = match &self.args {
            Some(args) => (self.command.as_str(), args.clone()),
            None => ("sh", vec!["-c".to_owned(), self.command.clone()]),
        };
        let mut child = Command::new(program)
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Dropped when Escape answers the dialog, and when its time is over.
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let ended = async {
            if let Some(mut stdin) = child.stdin.take() {
                // A hook that does not read its event is no failure.
                let _ = stdin.write_all(format!("{payload}\n").as_bytes()).await;
            }
            child.wait_with_output().await.ok()
        };
        let limit = Duration::from_secs(self.timeout.unwrap_or(LONGEST));
        let output = timeout(limit, ended).await.ok()??;
        output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decisions_are_read_and_silence_is_none() {
        let deny = json!({"hookSpecificOutput": {"decision": {
            "behavior": "deny", "message": "no", "interrupt": true}}});
        let read = Decision::read(&deny).unwrap();
        assert_eq!((read.allowed, read.message.as_str(), read.interrupt), (false, "no", true));
        let allow = json!({"hookSpecificOutput": {"decision": {"behavior": "allow", "updatedPermissions": [
            {"type": "setMode", "mode": "acceptEdits"}]}}});
        assert_eq!(Decision::read(&allow).unwrap().mode.as_deref(), Some("acceptEdits"));
        assert_eq!(Decision::read(&json!({})), None);
    }
}
