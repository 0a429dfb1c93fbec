//! The rules themselves; `recorded` holds them against the recorded screens.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its fixture has failed")]

mod recorded;

use super::rules::Rule;
use super::{Dialog, DialogKind, DialogOption, known, read};
use crate::term::{Grid, Screen};
use recorded::cases;

#[test]
fn every_expression_compiles() {
    for (rule, text) in Rule::ALL {
        assert!(regex::Regex::new(text).is_ok(), "{rule:?}");
    }
    for known in known::KNOWN {
        assert!(regex::Regex::new(known.pattern).is_ok(), "{}", known.id);
    }
}

fn dialog(labels: &[&str], marked: usize) -> Dialog {
    let option = |(i, label): (usize, &&str)| DialogOption {
        label: (*label).to_owned(),
        marked: i == marked,
        ..DialogOption::default()
    };
    Dialog {
        kind: DialogKind::Permission,
        rule: "permission".to_owned(),
        title: "Bash command".to_owned(),
        body: "touch a\nDo you want to proceed?".to_owned(),
        options: labels.iter().enumerate().map(option).collect(),
        hint: String::new(),
    }
}

#[test]
fn an_option_is_found_by_its_text_and_only_if_one_is_meant() {
    let dialog = dialog(&["Yes", "Yes, and always allow access to proj/", "No", "no", "Never"], 0);
    let table = [
        ("Yes", Some(0)),
        ("yes", Some(0)),
        ("yes, and", Some(1)),
        ("No", Some(2)),
        ("no", Some(3)),
        ("NO", None),
        ("N", None),
        ("nev", Some(4)),
        ("", None),
        ("1", None),
    ];
    for (wanted, found) in table {
        assert_eq!(dialog.find(wanted), found, "{wanted}");
    }
}

#[test]
fn the_way_to_an_option_is_counted_from_the_marker() {
    let dialog = dialog(&["a", "b", "c"], 1);
    assert_eq!([0, 1, 2, 3].map(|i| dialog.key_path(i)), [Some(-1), Some(0), Some(1), None]);
    assert_eq!(Dialog { options: Vec::new(), ..dialog }.key_path(0), None);
}

#[test]
fn the_same_dialog_is_the_same_wherever_its_marker_stands() {
    let (one, moved) = (dialog(&["Yes", "No"], 0), dialog(&["Yes", "No"], 1));
    assert!(one.same_as(&moved));
    assert!(!one.same_as(&dialog(&["Yes", "Always", "No"], 0)));
    assert!(!one.same_as(&Dialog { body: "touch b\nDo you want to proceed?".to_owned(), ..moved }));
}

#[test]
fn a_dialog_nobody_has_seen_is_found_by_its_shape() {
    let rule = "─".repeat(80);
    let text = format!(
        "● Some answer\n\n{rule}\n  Something entirely new\n\n  Pick one, please\n\n    First thing\n  \
         ❯ Second thing\n    Third thing\n\n  Enter to confirm · Esc to cancel\n"
    );
    let found = read(&Screen::plain(80, &text)).dialog.unwrap();
    assert_eq!((found.kind, found.rule.as_str(), found.marked()), (DialogKind::Other, "listed", Some(1)));
    assert_eq!((found.title.as_str(), found.body.as_str()), ("Something entirely new", "Pick one, please"));
    assert_eq!(found.find("third"), Some(2));
    assert_eq!(found.hint, "Enter to confirm · Esc to cancel");
}

#[test]
fn what_was_said_is_no_dialog_even_without_the_box() {
    let said = "● Do you want to proceed?\n\n  ❯ 1. Yes\n    2. No\n\n  Enter to confirm · Esc to cancel\n";
    assert_eq!(read(&Screen::plain(80, said)).dialog, None);
}

#[test]
fn a_finished_turn_does_not_work_and_a_spinner_does() {
    let rule = "─".repeat(80);
    let table = [
        ("✻ Baked for 0s", false),
        ("✻ Baked for 0s · done 8:33 AM", false),
        ("✻ Waiting for 1 background agent to finish", false),
        ("✢ Doodling…", true),
        ("● Flambéing… (0s · ↓ 4 tokens)", true),
        ("· Imagining… (2s · ↓ 19 tokens)", true),
        ("✶ Compacting conversation…", true),
        ("✻ API error · Retrying in 1s · attempt 2/10", true),
        ("✻ 529 Overloaded · retrying… · attempt 1/1", true),
        ("✻ Waiting for API response · will retry in 4m 40s · check your network", true),
        ("● I think so…", false),
        ("  · Doodling… (2s)", false),
    ];
    for (line, working) in table {
        let text = format!("❯ do it\n\n{line}\n\n{rule}\n❯\u{a0}\n{rule}\n  ? for shortcuts\n");
        assert_eq!(read(&Screen::plain(80, &text)).working, working, "{line}");
    }
}

#[test]
fn what_stands_at_the_spinner_about_a_retry_is_told_and_nothing_else_is() {
    let rule = "─".repeat(80);
    let table = [
        (
            "✻ 529 Overloaded · Retrying in 1s · attempt 1/1",
            Some("✻ 529 Overloaded · Retrying in 1s · attempt 1/1"),
        ),
        ("  ⎿  Retrying in 1s · attempt 1/2\n\n✽ Propagating…", Some("Retrying in 1s · attempt 1/2")),
        (
            "  ⎿  529 Overloaded\n     Retrying in 12s · attempt 2/10\n\n✽ Propagating…",
            Some("Retrying in 12s · attempt 2/10"),
        ),
        ("  ⎿  Retrying in 1s · attempt 1/2", None),
        ("  ⎿  Retrying in 1s · attempt 1/2\n\n● Now it works.\n\n✽ Propagating…", None),
        ("● Retrying in 1s · attempt 1/2\n\n✽ Propagating…", None),
    ];
    for (lines, notice) in table {
        let text = format!("❯ do it\n\n{lines}\n\n{rule}\n❯\u{a0}\n{rule}\n  ? for shortcuts\n");
        assert_eq!(read(&Screen::plain(80, &text)).notice.as_deref(), notice, "{lines}");
    }
}

#[test]
fn every_consent_and_dismissal_is_found_in_a_recorded_dialog() {
    let mut seen = Vec::new();
    for case in cases() {
        if let Some(dialog) = case.expect().reading.dialog {
            let known = known::by_id(&dialog.rule);
            assert!(known.and_then(|k| k.harmless).is_none() || dialog.harmless().is_some(), "{}", case);
            assert!(known.and_then(|k| k.consent).is_none() || dialog.consent().is_some(), "{}", case);
            seen.push(dialog.rule);
        }
    }
    for known in known::KNOWN.iter().filter(|known| known.harmless.or(known.consent).is_some()) {
        assert!(seen.iter().any(|rule| rule == known.id), "no screen of {}", known.id);
    }
}

#[test]
fn text_in_a_dialog_does_not_turn_it_into_another() {
    let rule = "─".repeat(80);
    let options = "  Do you want to proceed?\n  ❯ 1. Yes\n    2. No\n\n  Esc to cancel · Tab to amend\n";
    for known in known::KNOWN.iter().filter(|known| known.harmless.or(known.consent).is_some()) {
        let line = known.pattern.replace(['^', '$', '\\'], "").replace("(\\d+ )?[Nn]ew", "New");
        let framed = format!("{rule}\n Bash command\n\n   {line}\n\n{options}");
        let cut = format!("   {line}\n   more\n\n{options}");
        for text in [framed, cut] {
            let found = read(&Screen::plain(80, &text)).dialog.unwrap();
            assert_eq!((found.kind, found.rule.as_str()), (DialogKind::Permission, "permission"), "{text}");
            assert_eq!((found.harmless(), found.consent()), (None, None), "{text}");
        }
        let asked = format!(
            "{rule}\n ☐ Pick\n\n{line}\n\n❯ 1. Yes\n  2. Not now\n\nEnter to select · Esc to cancel\n"
        );
        let found = read(&Screen::plain(80, &asked)).dialog.unwrap();
        assert_eq!(
            (found.kind, found.harmless(), found.consent()),
            (DialogKind::Question, None, None),
            "{asked}"
        );
    }
    assert!(
        known::KNOWN
            .iter()
            .all(|known| known.place == known::Place::Title || known.harmless.or(known.consent).is_none())
    );
}

#[test]
fn no_part_of_a_screen_makes_reading_it_panic() {
    // Every fifth: the others differ in version, in size or in a word.
    for case in cases().iter().step_by(5) {
        let whole = case.screen();
        for cut in 0..whole.rows.len() {
            let (mut top, mut bottom) = (whole.clone(), whole.clone());
            top.rows.truncate(cut);
            bottom.rows.drain(..cut);
            let _ = (read(&top), read(&bottom));
        }
    }
}

#[test]
fn a_screen_does_not_depend_on_how_its_bytes_were_cut() {
    for case in cases().iter().step_by(7) {
        let (cols, rows) = case.size();
        let mut grid = Grid::new(cols, rows, 0);
        case.bytes().iter().for_each(|byte| drop(grid.feed(&[*byte])));
        assert_eq!(grid.screen(), case.screen(), "{case}");
    }
}
