//! One laboratory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use aegis::app::{App, Surroundings};
use aegis::config::Sources;
use aegis::domain::{Ask, Event, EventData};
use aegis::holder::{SessionDir, journal};
use aegis::ops::{Aegis, Caller};
use aegis::rehearsal::{Claude, ScratchHome, Script, ScriptedApi};
use serde_json::Value;

/// The `aegis` program under test.
pub const AEGIS: &str = env!("CARGO_BIN_EXE_aegis");

/// Installs a pinned version once into the target directory and gives its program.
pub fn claude(version: &str) -> PathBuf {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    let data = DATA.get_or_init(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("claude-code"));
    let path = std::env::var_os("PATH").unwrap();
    Claude::install(version, data, &path).unwrap().executable
}

/// The scripted stand-in for Claude Code.
pub const FAKE_CLAUDE: &str = env!("CARGO_BIN_EXE_fake-claude");

/// What a laboratory is to be like.
pub struct LabBuilder {
    version: String,
    fake: Option<Value>,
    script: Script,
    trusted: bool,
    promotions: bool,
    settings: Vec<(String, OsString)>,
    home: Vec<(String, OsString)>,
    without: Vec<String>,
}

impl LabBuilder {
    /// The project is not trusted by Claude Code yet.
    pub fn untrusted(mut self) -> Self {
        self.trusted = false;
        self
    }

    /// The home is one in which Claude Code shows its promotions.
    pub fn with_promotions(mut self) -> Self {
        self.promotions = true;
        self
    }

    /// A variable for Aegis, and so for sessions if it passes.
    pub fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// A variable of the home left out.
    pub fn without(mut self, name: &str) -> Self {
        self.without.push(name.into());
        self
    }

    /// A variable of the home.
    pub fn home_var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.home.push((name.into(), value.into()));
        self
    }

    pub async fn build(self) -> Lab {
        let program = match self.fake {
            Some(_) => FAKE_CLAUDE.into(),
            None => tokio::task::spawn_blocking({
                let version = self.version.clone();
                move || claude(&version)
            })
            .await
            .unwrap(),
        };
        let dir = tempfile::Builder::new().prefix("aegis-test-").tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let project = root.join("project");
        std::fs::create_dir(&project).unwrap();
        let api = ScriptedApi::start(self.script).await.unwrap();
        let mut home = ScratchHome::builder(api.url());
        if self.trusted {
            home = home.trust(&project);
        }
        if self.promotions {
            home = home.with_promotions();
        }
        for (name, value) in self.home {
            home = home.var(name, value);
        }
        for name in self.without {
            home = home.without(name);
        }
        let home = home.at(root.join("home")).unwrap();
        let mut env: BTreeMap<String, OsString> = home
            .env()
            .iter()
            .map(|(name, value)| (name.to_str().unwrap().to_owned(), value.clone()))
            .collect();
        env.insert("AEGIS_STATE_DIR".into(), root.join("state").into());
        env.insert("AEGIS_RUNTIME_DIR".into(), root.join("run").into());
        env.insert("AEGIS_CLAUDE_PATH".into(), program.into());
        env.insert("AEGIS_LOG".into(), "debug".into());
        if let Some(script) = self.fake {
            let path = root.join("script.json");
            std::fs::write(&path, script.to_string()).unwrap();
            env.insert("AEGIS_PASS_ENV".into(), "FAKE_CLAUDE_SCRIPT".into());
            env.insert("FAKE_CLAUDE_SCRIPT".into(), path.into());
        }
        env.extend(self.settings);
        Lab { dir: Some(dir), root, project, api, home, env, version: self.version }
    }
}

/// One laboratory.
pub struct Lab {
    dir: Option<tempfile::TempDir>,
    pub root: PathBuf,
    pub project: PathBuf,
    pub api: ScriptedApi,
    pub home: ScratchHome,
    pub env: BTreeMap<String, OsString>,
    pub version: String,
}

impl Lab {
    pub fn builder(version: &str, script: Script) -> LabBuilder {
        LabBuilder {
            version: version.into(),
            fake: None,
            script,
            trusted: true,
            promotions: false,
            settings: Vec::new(),
            home: Vec::new(),
            without: Vec::new(),
        }
    }

    /// A laboratory whose Claude Code is the stand-in with this script.
    pub fn fake(script: Value) -> LabBuilder {
        LabBuilder { fake: Some(script), ..Self::builder("2.1.197", Script::new()) }
    }

    /// The same laboratory with one more variable for Aegis.
    pub fn with_var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub async fn new(version: &str, script: Script) -> Self {
        Self::builder(version, script).build().await
    }

    /// A server's worth of Aegis in this process.
    pub fn app(&self) -> App {
        let sources = Sources {
            file: None,
            cwd: self.root.clone(),
            home: Some(self.home.path().to_owned()),
            env: self.env.clone(),
        };
        Surroundings { sources, program: AEGIS.into() }.build().unwrap()
    }

    /// The operations, and who calls.
    pub fn aegis(&self) -> (Aegis, Caller) {
        let app = self.app();
        (app.aegis(), Caller::local("test"))
    }

    /// The program with this laboratory's surroundings and nothing else.
    pub fn command(&self) -> Command {
        let mut command = Command::new(AEGIS);
        command.env_clear().envs(&self.env).current_dir(&self.project);
        command
    }

    /// What a session's program gets, without Aegis around it.
    pub fn session_env(&self) -> Vec<(String, OsString)> {
        let home =
            self.home.env().iter().map(|(name, value)| (name.to_str().unwrap().to_owned(), value.clone()));
        let script =
            self.env.get("FAKE_CLAUDE_SCRIPT").map(|path| ("FAKE_CLAUDE_SCRIPT".to_owned(), path.clone()));
        home.chain(script).collect()
    }

    pub fn work_dir(&self) -> String {
        self.project.to_str().unwrap().to_owned()
    }

    /// The directories of all sessions.
    pub fn session_dirs(&self) -> Vec<PathBuf> {
        let dirs = std::fs::read_dir(self.root.join("state/sessions")).into_iter().flatten();
        dirs.map(|dir| dir.unwrap().path()).collect()
    }

    /// All events of all sessions, from their journals.
    pub fn events(&self) -> Vec<Event> {
        let journals = self.session_dirs().into_iter().map(|dir| SessionDir::new(dir).journal());
        journals.flat_map(|path| journal::read(&path, None, usize::MAX).unwrap()).collect()
    }

    /// All asks that were settled, in order.
    pub fn resolved_asks(&self) -> Vec<Ask> {
        let resolved = |event: Event| match event.data {
            EventData::AskResolved(ask) => Some(ask),
            _ => None,
        };
        self.events().into_iter().filter_map(resolved).collect()
    }

    /// All processes whose command line or environment names this laboratory.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mark = self.root.to_str().unwrap();
        let all = procfs::process::all_processes().unwrap().filter_map(Result::ok);
        let others = all.filter(|process| process.pid != i32::try_from(std::process::id()).unwrap());
        others
            .filter(|process| process.stat().is_ok_and(|stat| stat.state != 'Z'))
            .filter_map(|process| {
                let line = process.cmdline().unwrap_or_default().join(" ");
                let env = process.environ().unwrap_or_default();
                let ours =
                    line.contains(mark) || env.values().any(|value| value.to_string_lossy().contains(mark));
                ours.then_some((process.pid, line))
            })
            .collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Only what carries this laboratory's own mark, by its id: a failed test must not leave sessions behind.
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for (pid, _) in left {
                if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            std::thread::yield_now();
        }
        if std::thread::panicking() {
            let kept = self.dir.take().map(tempfile::TempDir::keep);
            eprintln!("the laboratory is kept at {kept:?}");
        }
    }
}
