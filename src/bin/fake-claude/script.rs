//! The script: what the stand-in does, as JSON. Everything has a default; a word that is not known is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The whole script.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Script {
    /// The version that `--version` and the live file tell. Aegis asks for it without passing
    /// `FAKE_CLAUDE_SCRIPT` on, so a version of your own belongs into the script beside the settings.
    pub(crate) version: String,
    /// Time from the start until anything is drawn, in milliseconds. The real program takes 600 to 1400.
    pub(crate) start_delay_ms: u64,
    /// Whether the folder's trust is asked for at the start. `No, exit` and Escape end with code 1.
    pub(crate) trust_dialog: bool,
    /// The first Enters over a text in the box that do nothing.
    pub(crate) swallow_enter: Option<SwallowEnter>,
    /// What a person has typed into the box already.
    pub(crate) draft: String,
    /// The faint text that an empty box suggests.
    pub(crate) suggestion: String,
    /// Hooks that do not run as they should, by event.
    pub(crate) hooks: BTreeMap<String, HookRuns>,
    /// Time from the call of the PermissionRequest hook until the dialog stands, in milliseconds. The real
    /// program takes 50, and 1500 more after a key.
    pub(crate) permission_dialog_delay_ms: u64,
    /// Time until a line stands in the transcript, in milliseconds.
    pub(crate) transcript_delay_ms: u64,
    /// Whether the live file `sessions/<pid>.json` is written.
    pub(crate) live_file: bool,
    /// The model that the transcript names.
    pub(crate) api_model: String,
    /// What each API message used, as the transcript tells it.
    pub(crate) usage: Value,
    /// What answers a prompt: the first rule that matches. Without one it says `You said: <prompt>`.
    pub(crate) rules: Vec<Rule>,
    /// What happens besides, each once.
    pub(crate) moments: Vec<Moment>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            version: "2.1.197".into(),
            start_delay_ms: 0,
            trust_dialog: false,
            swallow_enter: None,
            draft: String::new(),
            suggestion: String::new(),
            hooks: BTreeMap::new(),
            permission_dialog_delay_ms: 50,
            transcript_delay_ms: 100,
            live_file: true,
            api_model: "claude-fake".into(),
            usage: json!({"input_tokens": 10, "output_tokens": 10}),
            rules: Vec::new(),
            moments: Vec::new(),
        }
    }
}

/// Which Enters do nothing.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SwallowEnter {
    /// So many.
    Count(u32),
    /// All within this time from the first one on, in milliseconds.
    ForMs(u64),
}

/// How often and when the hooks of an event run.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct HookRuns {
    /// How often: 0 is never, 2 is doubled.
    pub(crate) times: u32,
    /// Run so much later, in milliseconds, while everything goes on without them. Without it they run at once, and
    /// are waited for as the real program does.
    pub(crate) delay_ms: Option<u64>,
}

impl Default for HookRuns {
    fn default() -> Self {
        Self { times: 1, delay_ms: None }
    }
}

/// What answers a prompt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// A part of the prompt; an empty one is part of any.
    pub(crate) on: String,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
}

/// Something that happens at a point in the program's life, once.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Moment {
    /// When.
    pub(crate) at: At,
    /// What must come after that point, while everything goes on. Without it the steps are done at the point itself.
    pub(crate) after: Option<Wait>,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
}

/// A point in the program's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum At {
    /// Nothing is drawn yet.
    Start,
    /// The box stands for the first time.
    Ready,
    /// Something was pasted or typed into the box.
    Typed,
    /// A prompt was entered, and nobody was told yet.
    Entered,
    /// A permission dialog stands.
    Asked,
    /// A turn is over, and nobody was told yet.
    Stopping,
}

/// One thing to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    /// Claude says this; `{prompt}` stands for the prompt.
    Say(String),
    /// Claude calls a tool.
    Tool(Tool),
    /// Nothing goes on until then.
    Wait(Wait),
    /// A dialog stands until it is answered. What is answered changes nothing.
    Dialog(DialogStep),
    /// So many bytes of text are printed.
    Flood {
        /// How many.
        bytes: u64,
    },
    /// The program ends as if it had crashed: nothing is told, and its live file stays.
    Crash(Crash),
    /// The turn ends with a failure of the API.
    Error {
        /// Claude Code's word for it, such as `server_error` or `rate_limit`.
        kind: String,
        /// What it shows.
        text: String,
    },
}

/// What is waited for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Wait {
    /// Time, in milliseconds.
    Ms(u64),
    /// A file of this name comes into being; relative names are looked for in the working directory.
    File(String),
}

/// How the program ends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Crash {
    /// With this exit code.
    Code(i32),
    /// By this signal, as a number: 9 is SIGKILL.
    Signal(i32),
}

/// A tool call. Nothing is run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Tool {
    /// The tool's name. `AskUserQuestion` shows the first question of its input.
    pub(crate) name: String,
    /// Its input.
    pub(crate) input: Map<String, Value>,
    /// Whether it asks for permission; the permission mode may spare that.
    pub(crate) ask: bool,
    /// How long it runs.
    pub(crate) takes: Option<Wait>,
    /// A file that it makes; a relative name belongs into the working directory.
    pub(crate) creates: Option<String>,
    /// What it gives back.
    pub(crate) result: String,
    /// Whether it fails.
    pub(crate) fails: bool,
}

impl Default for Tool {
    fn default() -> Self {
        Self {
            name: "Bash".into(),
            input: Map::new(),
            ask: true,
            takes: None,
            creates: None,
            result: "done".into(),
            fails: false,
        }
    }
}

/// A dialog.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DialogStep {
    /// Its first line.
    pub(crate) title: String,
    /// What stands under that.
    #[serde(default)]
    pub(crate) body: String,
    /// What can be chosen.
    pub(crate) options: Vec<String>,
    /// Whether the options are numbered; a digit then chooses.
    #[serde(default = "yes")]
    pub(crate) numbered: bool,
}

fn yes() -> bool {
    true
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong, and where.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_vocabulary_is_read() {
        let script = Script::parse(
            br#"{
                "version": "2.1.330", "startDelayMs": 5, "trustDialog": true, "swallowEnter": {"count": 1},
                "draft": "d", "suggestion": "s", "hooks": {"Stop": {"times": 0}, "SessionStart": {"delayMs": 3}},
                "permissionDialogDelayMs": 1, "transcriptDelayMs": 2, "liveFile": false,
                "apiModel": "m", "usage": {"input_tokens": 1},
                "rules": [{"on": "x", "steps": [
                    {"say": "y"}, {"wait": {"ms": 1}}, {"wait": {"file": "f"}}, {"flood": {"bytes": 3}},
                    {"tool": {"name": "Write", "input": {"file_path": "a"}, "creates": "a", "takes": {"ms": 1}}},
                    {"dialog": {"title": "t", "options": ["a"]}},
                    {"crash": {"signal": 9}}, {"crash": {"code": 3}},
                    {"error": {"kind": "server_error", "text": "t"}}
                ]}],
                "moments": [{"at": "ready", "after": {"file": "go"}, "steps": []}]
            }"#,
        )
        .unwrap();
        assert_eq!((script.rules[0].steps.len(), script.hooks["Stop"].times), (9, 0));
        assert_eq!(script.hooks["SessionStart"].delay_ms, Some(3));
    }

    #[test]
    fn an_unknown_word_is_an_error() {
        for json in [r#"{"strat": 1}"#, r#"{"rules": [{"on": "", "steps": [{"sing": "la"}]}]}"#] {
            assert!(Script::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
