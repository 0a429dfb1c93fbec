#![allow(clippy::print_stdout)]
//! Every recorded screen reads as its `expect.json` says.
//!
//! `UPDATE_SCREENS=1 cargo test --lib screens` rewrites the expectations; look at the difference before you
//! commit it.

use super::rules::Rule;
use super::{Dialog, DialogKind, DialogOption, Reading, known, read};
use crate::term::{Grid, Screen};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct Expect {
    cols: u16,
    rows: u16,
    reading: Reading,
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens");
    let folders = |at: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(at).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    let mut all: Vec<PathBuf> = folders(&root).iter().flat_map(|version| folders(version)).collect();
    all.sort();
    all
}

fn screen(case: &Path, expect: &Expect) -> Screen {
    let mut grid = Grid::new(expect.cols, expect.rows, 0);
    let _ = grid.feed(&std::fs::read(case.join("screen.ansi")).unwrap());
    grid.screen()
}

#[test]
fn the_recorded_screens_read_as_expected() {
    let update = std::env::var_os("UPDATE_SCREENS").is_some();
    let all = cases();
    assert!(all.len() > 100, "only {} screens found", all.len());
    let mut wrong = Vec::new();
    for case in all {
        let file = case.join("expect.json");
        let mut expect: Expect = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let screen = screen(&case, &expect);
        let got = read(&screen);
        if got != expect.reading && update {
            expect.reading = got;
            std::fs::write(&file, serde_json::to_string_pretty(&expect).unwrap() + "\n").unwrap();
        } else if got != expect.reading {
            let name = case.display();
            wrong.push(format!("{name}\n{}\ngot {got:#?}\nnot {:#?}", screen.text(), expect.reading));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} screens are read wrong", wrong.join("\n\n"), wrong.len());
}

#[test]
fn every_expression_compiles() {
    for (rule, text) in Rule::ALL {
        assert!(regex::Regex::new(text).is_ok(), "{rule:?}");
    }
    for known in known::KNOWN {
        assert!(regex::Regex::new(known.pattern).is_ok(), "{}", known.id);
    }
}
// TEMPORARY-BEGIN
#[test]
#[ignore]
fn make_fixtures() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens");
    for version in ["2.1.197", "2.1.330"] {
        for case in std::fs::read_dir(format!("/tmp/screenlab/rec/{version}")).unwrap() {
            let case = case.unwrap().path();
            let name = case.file_name().unwrap().to_str().unwrap().to_owned();
            let (_, size) = name.rsplit_once('-').unwrap();
            let (c, r) = size.split_once('x').unwrap();
            let (cols, rows) = (c.parse().unwrap(), r.parse().unwrap());
            let big = cols == 120;
            if big && ["menu-", "palette-moved", "help", "exit-armed-after", "cleared", "inline-idle", "finished-markdown", "settings-warning","config-broken","api-error","model-list","draft-chip-and", "promotion-0", "promotion-1","promotion-moved"].iter().any(|p| name.starts_with(p)) { continue; }
            let dir = out.join(version).join(&name);
            if dir.exists() && std::env::var_os("REMAKE").is_none() { continue; }
            let raw = std::fs::read(case.join("screen.ansi")).unwrap();
            let mut grid = Grid::new(cols, rows, 0);
            let _ = grid.feed(&raw);
            let bytes = if raw.len() < 3000 { raw } else { grid.redraw() };
            let bytes: Vec<u8> = { let mut b = bytes; let (from, to) = (b"screenlab", b"workspace"); let mut i = 0; while i + 9 <= b.len() { if &b[i..i+9] == from { b[i..i+9].copy_from_slice(to); } i += 1; } b };
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("screen.ansi"), bytes).unwrap();
            let e = Expect { cols, rows, reading: Reading::default() };
            std::fs::write(dir.join("expect.json"), serde_json::to_string_pretty(&e).unwrap() + "\n").unwrap();
        }
    }
}
#[test]
#[ignore]
fn show() {
    let only = std::env::var("ONLY").unwrap_or_default();
    for case in cases() {
        let name = format!("{}/{}", case.parent().unwrap().file_name().unwrap().to_str().unwrap(), case.file_name().unwrap().to_str().unwrap());
        if !name.contains(&only) { continue; }
        let expect: Expect = serde_json::from_slice(&std::fs::read(case.join("expect.json")).unwrap()).unwrap();
        let r = read(&screen(&case, &expect));
        let mut s = String::new();
        if let Some(i) = &r.input { s += &format!(" IN{:?}{}{}{}{}", i.text, i.suggestion.as_ref().map_or(String::new(), |x| format!(" sug={x:?}")), if i.chips>0 {format!(" chips={}",i.chips)} else {String::new()}, if i.stashed {" STASH"} else {""}, if i.shell {" SHELL"} else {""}); }
        if let Some(d) = &r.dialog { s += &format!(" DLG {:?}/{} t={:?} hint={:?} body={:.60?}", d.kind, d.rule, d.title, d.hint, d.body); for o in &d.options { s += &format!("\n        {}{}{}{:?}{}", if o.marked {">"} else {" "}, o.number.map_or(String::new(), |n| format!("{n} ")), o.checked.map_or("", |c| if c {"[x] "} else {"[ ] "}), o.label, if o.detail.is_empty() {String::new()} else {format!(" // {:.50?}", o.detail)}); } }
        for (b, n) in [(r.working, "WORK"), (r.interrupted, "INTR"), (r.waiting_for_permission, "HELD"), (r.exit_armed, "EXIT"), (r.clear_armed, "CLEAR"), (r.queued, "QUEUED"), (r.transcript, "TRANSCRIPT")] { if b { s += &format!(" {n}"); } }
        if let Some(m) = &r.mode { s += &format!(" mode={m}"); }
        if let Some(m) = &r.notice { s += &format!(" notice={m:?}"); }
        println!("{name}:{s}");
    }
}
// TEMPORARY-END
