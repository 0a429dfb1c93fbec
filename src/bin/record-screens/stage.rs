//! Plays one case: its own home and project, its own API, its own program.

use std::fs;
use std::path::Path;

use aegis::rehearsal::home::Renderer;
use aegis::rehearsal::{Claude, ScratchHome, ScriptedApi};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::Fault;
use super::fixture::Recorded;
use super::scenario::{Scenario, Set, Step};
use super::terminal::Terminal;

/// Variables of every case. Frames are marked, so that none is read half-drawn. The API is on loopback; whatever else
/// the program would reach meets a proxy that is not there, and leaves no note of it on the screen.
const ALWAYS: [(&str, &str); 4] = [
    ("CLAUDE_CODE_FORCE_SYNC_OUTPUT", "1"),
    ("CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL", "1"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("NO_PROXY", "127.0.0.1"),
];

/// Plays a case and returns what stands on the screen at its end.
pub(crate) async fn play(scenario: &Scenario, claude: &Claude, size: (u16, u16)) -> Result<Recorded, Fault> {
    let api = ScriptedApi::start(scenario.script.clone()).await?;
    let scratch = tempfile::Builder::new().prefix("scr-").tempdir()?;
    let root = scratch.path().canonicalize()?;
    let project = root.join("proj");
    fs::create_dir(&project)?;
    let home = home(scenario, &api.url(), &root)?;
    let mut arguments: Vec<String> = scenario.arguments.iter().map(|argument| (*argument).into()).collect();
    if let Some(prompt) = scenario.prompt {
        arguments.extend(["--".into(), prompt.into()]);
    }
    let mut terminal = Terminal::start(&claude.executable, &arguments, home.env(), &project, size)?;
    for step in &scenario.steps {
        match step {
            Step::Press(keys) => terminal.press(keys)?,
            Step::Until { shown, still } => terminal.wait(&expression(shown)?, *still).await?,
            Step::Release(name) => api.release(*name),
            Step::Asked(text) => {
                let seen = api.wait_for(text, |request| request.is_main() && request.mentions(text)).await;
                seen.map_err(|fault| format!("{fault}; the screen shows\n{}", terminal.text()))?;
            }
        }
    }
    Ok(Recorded { bytes: terminal.redraw(), scratch: root })
}

fn expression(text: &str) -> Result<Regex, Fault> {
    Ok(RegexBuilder::new(text).multi_line(true).build()?)
}

/// The home as the case wants it, and the files of its project.
fn home(scenario: &Scenario, url: &str, root: &Path) -> Result<ScratchHome, Fault> {
    let project = root.join("proj");
    let mut builder = ScratchHome::builder(url);
    for (name, value) in ALWAYS {
        builder = builder.var(name, value);
    }
    if !scenario.set.iter().any(|set| matches!(set, Set::Untrusted)) {
        builder = builder.trust(&project);
    }
    for set in &scenario.set {
        builder = match set {
            Set::Promotions => builder.with_promotions(),
            Set::Inline => builder.renderer(Renderer::Inline),
            Set::Var(name, value) => builder.var(name, value),
            Set::Without(name) => builder.without(name),
            Set::Untrusted | Set::Project(..) | Set::Home(..) | Set::State(..) => builder,
        };
    }
    let home = builder.at(root.join("home"))?;
    for set in &scenario.set {
        match set {
            Set::Project(path, content) => {
                let content = content.replace("{home}", &home.path().to_string_lossy());
                write(&project.join(path), &content)?;
            }
            Set::Home(path, content) => write(&home.path().join(path), content)?,
            Set::State(key, value) => change(&home.path().join(".claude.json"), key, value)?,
            Set::Untrusted | Set::Promotions | Set::Inline | Set::Var(..) | Set::Without(_) => {}
        }
    }
    Ok(home)
}

fn write(path: &Path, content: &str) -> Result<(), Fault> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    Ok(fs::write(path, content)?)
}

fn change(file: &Path, key: &str, value: &Value) -> Result<(), Fault> {
    let mut state: Value = serde_json::from_slice(&fs::read(file)?)?;
    if let Some(state) = state.as_object_mut() {
        if value.is_null() {
            state.remove(key);
        } else {
            state.insert(key.to_owned(), value.clone());
        }
    }
    Ok(fs::write(file, state.to_string())?)
}
