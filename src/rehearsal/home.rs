//! A home directory in which the program starts without a single dialog.
//!
//! It holds what a person would have answered long ago: onboarding, theme, the API key, the trusted
//! folders, and the notices of new versions as already seen. Write it before the first start: the program
//! rewrites its `.claude.json` whenever it runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The key the program is given. It opens nothing; its last 20 characters are what is approved.
pub const API_KEY: &str = "sk-ant-rehearsal-00000000000000000000-opens-nothing";

/// How many characters of a key the program remembers as approved.
const KEY_SUFFIX: usize = 20;

/// How often a failed call is repeated.
///
/// Two are enough to see a retry; the program's own ten take half a minute on a status such as 401.
const MAX_RETRIES: &str = "2";

/// Where, in the home, temporary files go.
const TEMPORARY: &str = "tmp";

/// Where programs are looked for when the caller names no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why a home could not be prepared.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare {}: {source}; check that the directory can be written", path.display())]
pub struct HomeFault {
    /// What was being written.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What a home shall know; see [`ScratchHome::builder`].
#[derive(Clone, Debug)]
pub struct HomeBuilder {
    api_url: String,
    trusted: Vec<PathBuf>,
    promotions: bool,
    renderer: Option<Renderer>,
    path: OsString,
    extra: BTreeMap<OsString, Option<OsString>>,
}

/// How the program draws, where it has the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renderer {
    /// Into the terminal's scrollback.
    Inline,
    /// On the alternate screen, the default of a fresh home since 2.1.260.
    Fullscreen,
}

/// A prepared home; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct ScratchHome {
    root: PathBuf,
    env: BTreeMap<OsString, OsString>,
    _temporary: Option<TempDir>,
}

impl ScratchHome {
    /// Starts a home whose program talks to `api_url`, trusts nothing and sees no promotions.
    pub fn builder(api_url: impl Into<String>) -> HomeBuilder {
        HomeBuilder {
            api_url: api_url.into(),
            trusted: Vec::new(),
            promotions: false,
            renderer: None,
            path: DEFAULT_PATH.into(),
            extra: BTreeMap::new(),
        }
    }

    /// The directory that is HOME.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where the program keeps its own files: `~/.claude`.
    #[must_use]
    pub fn config_dir(&self) -> PathBuf {
        self.root.join(".claude")
    }

    /// The whole environment to start the program with, to be set after clearing the inherited one.
    #[must_use]
    pub fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.env
    }
}

impl HomeBuilder {
    /// Trusts a project directory and everything below it. Not naming one leaves its trust dialog on.
    #[must_use]
    pub fn trust(mut self, directory: impl Into<PathBuf>) -> Self {
        self.trusted.push(directory.into());
        self
    }

    /// Lets the program show its promotions and one-time notices, as in a home that an older version used.
    #[must_use]
    pub fn with_promotions(mut self) -> Self {
        self.promotions = true;
        self
    }

    /// Chooses how the program draws; without it the program chooses.
    #[must_use]
    pub fn renderer(mut self, renderer: Renderer) -> Self {
        self.renderer = Some(renderer);
        self
    }

    /// Sets PATH.
    #[must_use]
    pub fn search_path(mut self, path: impl Into<OsString>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets one more variable, or another value for one of ours.
    #[must_use]
    pub fn var(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.extra.insert(name.into(), Some(value.into()));
        self
    }

    /// Leaves one of our variables out, such as the API key where the program shall use a subscription.
    #[must_use]
    pub fn without(mut self, name: impl Into<OsString>) -> Self {
        self.extra.insert(name.into(), None);
        self
    }

    /// Prepares a temporary directory, removed when the home is dropped.
    pub fn temporary(self) -> Result<ScratchHome, HomeFault> {
        let made = tempfile::Builder::new().prefix("rehearsal-").tempdir();
        let temporary = made.map_err(|source| HomeFault { path: std::env::temp_dir(), source })?;
        let mut home = self.at(temporary.path())?;
        home._temporary = Some(temporary);
        Ok(home)
    }

    /// Prepares this directory, made if it does not exist, and leaves it behind.
    pub fn at(self, root: impl AsRef<Path>) -> Result<ScratchHome, HomeFault> {
        let root = root.as_ref();
        let config = root.join(".claude");
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source| HomeFault { path, source }
        };
        fs::create_dir_all(&config).map_err(fault(&config))?;
        let temporary = root.join(TEMPORARY);
        fs::create_dir_all(&temporary).map_err(fault(&temporary))?;
        let root = root.canonicalize().map_err(fault(root))?;
        let state = root.join(".claude.json");
        fs::write(&state, self.state().to_string()).map_err(fault(&state))?;
        let settings = config.join("settings.json");
        fs::write(&settings, self.settings().to_string()).map_err(fault(&settings))?;
        let env = self.environment(&root);
        Ok(ScratchHome { root, env, _temporary: None })
    }

    /// What `.claude.json` holds.
    fn state(&self) -> Value {
        let trusted = self.trusted.iter().map(|directory| {
            // The program looks a project up by its real path.
            let real = directory.canonicalize().unwrap_or_else(|_| directory.clone());
            let entry = json!({ "hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true });
            (real.to_string_lossy().into_owned(), entry)
        });
        let mut state = json!({
            "hasCompletedOnboarding": true,
            "theme": "dark",
            "customApiKeyResponses": { "approved": [key_suffix()], "rejected": [] },
            "projects": trusted.collect::<Map<_, _>>(),
        });
        let history = if self.promotions { used_before().to_vec() } else { seen().to_vec() };
        for (key, value) in history {
            state[key] = value;
        }
        state
    }

    /// What `settings.json` holds.
    fn settings(&self) -> Value {
        match self.renderer {
            Some(Renderer::Inline) => json!({ "tui": "default" }),
            Some(Renderer::Fullscreen) => json!({ "tui": "fullscreen" }),
            None => json!({}),
        }
    }

    fn environment(&self, home: &Path) -> BTreeMap<OsString, OsString> {
        let fixed = [
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("ANTHROPIC_BASE_URL", self.api_url.as_str()),
            ("ANTHROPIC_API_KEY", API_KEY),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("CLAUDE_CODE_MAX_RETRIES", MAX_RETRIES),
        ];
        let mut env: BTreeMap<OsString, OsString> =
            fixed.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        env.insert("HOME".into(), home.into());
        // What a killed program leaves behind goes with the home.
        for variable in ["TMPDIR", "CLAUDE_CODE_TMPDIR"] {
            env.insert(variable.into(), home.join(TEMPORARY).into());
        }
        env.insert("PATH".into(), self.path.clone());
        for (name, value) in self.extra.clone() {
            match value {
                Some(value) => env.insert(name, value),
                None => env.remove(&name),
            };
        }
        env
    }
}

fn key_suffix() -> String {
    let characters: Vec<char> = API_KEY.chars().collect();
    characters[characters.len().saturating_sub(KEY_SUFFIX)..].iter().collect()
}

/// A home that was started before there was `firstStartVersion`: to such a one the new renderer is offered.
fn used_before() -> [(&'static str, Value); 2] {
    [("numStartups", json!(5)), ("firstStartTime", json!("2026-01-01T00:00:00.000Z"))]
}

/// The notices of 2.1.330 as already seen; older versions ignore what they do not know.
fn seen() -> [(&'static str, Value); 6] {
    [
        // "Try the new fullscreen renderer?": three impressions are its limit.
        ("fullscreenUpsellSeenCount", json!(3)),
        // "Auto mode is now the default", and the offer to make it so.
        ("hasSeenAutoDefaultNotice", json!(true)),
        ("hasSeenAutoDefaultNudge", json!(true)),
        ("hasSeenAutoModeEntryWarning", json!(true)),
        // A question at the first read outside the project in auto mode.
        ("hasSeenAutoModeOutsideReadPrompt", json!(true)),
        // The offer of another effort level.
        ("hasSeenEffortMediumNudge", json!(true)),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn state(home: &ScratchHome) -> Value {
        serde_json::from_slice(&fs::read(home.path().join(".claude.json")).unwrap()).unwrap()
    }

    #[test]
    fn a_home_trusts_what_it_is_told_and_passes_nothing_on() {
        let project = tempfile::tempdir().unwrap();
        let real = project.path().canonicalize().unwrap();
        let builder = ScratchHome::builder("http://127.0.0.1:1").trust(project.path());
        let home = builder.var("CLAUDE_CODE_MAX_RETRIES", "0").without("LANG").temporary().unwrap();
        let known = state(&home);
        assert_eq!(known["projects"][real.to_str().unwrap()]["hasTrustDialogAccepted"], true);
        assert_eq!(known["fullscreenUpsellSeenCount"], 3);
        let suffix = known["customApiKeyResponses"]["approved"][0].as_str().unwrap().to_owned();
        assert!(API_KEY.ends_with(&suffix) && suffix.len() == KEY_SUFFIX);
        let names: Vec<&str> = home.env().keys().filter_map(|name| name.to_str()).collect();
        let expected = [
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "CLAUDE_CODE_MAX_RETRIES",
            "CLAUDE_CODE_TMPDIR",
            "DISABLE_AUTOUPDATER",
            "HOME",
            "PATH",
            "TERM",
            "TMPDIR",
        ];
        assert_eq!(names, expected);
        assert_eq!(home.env().get(&OsString::from("CLAUDE_CODE_MAX_RETRIES")), Some(&OsString::from("0")));
        let path = home.path().to_owned();
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn a_named_directory_stays_and_may_show_promotions() {
        let scratch = tempfile::tempdir().unwrap();
        let builder = ScratchHome::builder("http://127.0.0.1:1").with_promotions();
        let home = builder.renderer(Renderer::Inline).at(scratch.path().join("home")).unwrap();
        assert_eq!(state(&home)["fullscreenUpsellSeenCount"], Value::Null);
        assert_eq!(state(&home)["projects"], json!({}));
        let settings = fs::read_to_string(home.config_dir().join("settings.json")).unwrap();
        assert_eq!(settings, r#"{"tui":"default"}"#);
        let path = home.path().to_owned();
        drop(home);
        assert!(path.exists());
    }
}
