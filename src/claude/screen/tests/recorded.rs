//! Every recorded screen, of every version, reads as its `expect.json` says.
//!
//! `UPDATE_SCREENS=1 cargo test --lib screen` rewrites the expectations; look at the difference before you commit it.
//! `cargo run --features record-screens --bin record-screens -- <version>` records.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use crate::claude::screen::{Reading, known, read};
use crate::term::{Grid, Screen};

/// What every version can show, at both sizes: each state a session can be in, and each kind of dialog.
const CORE: [&str; 58] = [
    "accept-edits",
    "api-error",
    "api-key",
    "api-overloaded",
    "api-retry",
    "api-retry-last",
    "bash-mode",
    "bypass",
    "cleared-by-esc-esc",
    "config-broken",
    "draft",
    "draft-chip",
    "draft-multiline",
    "draft-tall",
    "draft-wrapped",
    "esc-armed",
    "exit-armed",
    "finished",
    "finished-markdown",
    "help",
    "idle-fresh",
    "imitation",
    "imitation-at-end",
    "imports",
    "interrupted",
    "interrupted-early",
    "mcp-one",
    "mcp-two",
    "not-onboarded",
    "palette",
    "palette-files",
    "permission-bash",
    "permission-bash-amend",
    "permission-bash-long",
    "permission-bash-two",
    "permission-edit",
    "permission-fetch",
    "permission-read",
    "permission-subagent",
    "permission-write",
    "plan",
    "plan-long",
    "plan-mode",
    "plan-none",
    "question-multi",
    "question-multi-review",
    "question-several",
    "question-single",
    "rate-limit",
    "resume-picker",
    "rewind",
    "stashed",
    "suggestion",
    "transcript-view",
    "trust",
    "working-before-first-token",
    "working-streaming",
    "working-tool-running",
];

const SIZES: [&str; 2] = ["80x24", "120x40"];

/// One recorded screen.
pub(super) struct Case {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Expect {
    cols: u16,
    rows: u16,
    pub(super) reading: Reading,
}

/// Every recorded screen, in order.
pub(super) fn cases() -> Vec<Case> {
    let mut all: Vec<PathBuf> = folders(&root()).iter().flat_map(|version| folders(version)).collect();
    all.sort();
    all.into_iter().map(|directory| Case { directory }).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens")
}

fn folders(at: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(at).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn versions() -> BTreeSet<String> {
    folders(&root()).iter().map(|version| name(version)).collect()
}

impl Case {
    fn version(&self) -> String {
        name(self.directory.parent().unwrap())
    }

    pub(super) fn expect(&self) -> Expect {
        serde_json::from_slice(&fs::read(self.directory.join("expect.json")).unwrap()).unwrap()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        fs::read(self.directory.join("screen.ansi")).unwrap()
    }

    pub(super) fn size(&self) -> (u16, u16) {
        let expect = self.expect();
        (expect.cols, expect.rows)
    }

    pub(super) fn screen(&self) -> Screen {
        let (cols, rows) = self.size();
        let mut grid = Grid::new(cols, rows, 0);
        let _ = grid.feed(&self.bytes());
        grid.screen()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.version(), name(&self.directory))
    }
}

#[test]
fn t21_the_recorded_screens_of_five_versions_and_more_read_as_expected() {
    let update = std::env::var_os("UPDATE_SCREENS").is_some();
    assert!(versions().len() >= 5, "screens of {:?} only", versions());
    let mut wrong = Vec::new();
    for case in cases() {
        let mut expect = case.expect();
        let screen = case.screen();
        let got = read(&screen);
        if got != expect.reading && update {
            expect.reading = got;
            let text = serde_json::to_string_pretty(&expect).unwrap() + "\n";
            fs::write(case.directory.join("expect.json"), text).unwrap();
        } else if got != expect.reading {
            wrong.push(format!("{case}\n{}\ngot {got:#?}\nnot {:#?}", screen.text(), expect.reading));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} screens are read wrong", wrong.join("\n\n"), wrong.len());
}

#[test]
fn of_every_version_each_state_is_recorded_at_both_sizes() {
    let mut missing = Vec::new();
    for version in versions() {
        for case in CORE {
            let at = SIZES.map(|size| root().join(&version).join(format!("{case}-{size}")));
            missing.extend(at.into_iter().filter(|directory| !directory.join("screen.ansi").is_file()));
        }
    }
    assert!(missing.is_empty(), "record them with record-screens: {missing:#?}");
}

#[test]
fn no_recorded_screen_tells_about_the_machine_it_was_recorded_on() {
    let path = regex::Regex::new(
        r"(^|[^\w~-])/(tmp|root|var|private|Users|work)\b|(^|[^\w~-])/home/([^u]|u[^s])|-tmp-",
    )
    .unwrap();
    for case in cases() {
        let name = |file: &str| case.directory.join(file);
        for file in ["screen.ansi", "expect.json"] {
            let text = fs::read_to_string(name(file)).unwrap();
            let found = path.find(&text).map(|found| found.as_str().to_owned());
            assert_eq!(found, None, "{case}/{file}");
        }
        let entries = fs::read_dir(&case.directory).unwrap().count();
        assert_eq!(entries, 2, "{case} holds more than a screen and what is read on it");
    }
}

#[test]
fn the_table_of_known_dialogs_names_the_versions_that_show_them() {
    let shown: BTreeSet<(String, String)> = cases()
        .iter()
        .filter_map(|case| Some((case.expect().reading.dialog?.rule, case.version())))
        .filter(|(rule, _)| known::by_id(rule).is_some())
        .collect();
    let recorded: BTreeSet<&String> = shown.iter().map(|(rule, _)| rule).collect();
    let named: BTreeSet<(String, String)> = known::KNOWN
        .iter()
        .filter(|known| recorded.contains(&known.id.to_owned()))
        .flat_map(|known| {
            known.versions_seen.iter().map(|version| (known.id.to_owned(), (*version).to_owned()))
        })
        .collect();
    assert_eq!(named, shown);
}
