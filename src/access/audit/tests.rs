//! The chain under attack, and under use.

use std::fs;
use std::path::PathBuf;

use rstest::rstest;

use super::*;

struct Place {
    _directory: tempfile::TempDir,
    log: AuditLog,
    dir: PathBuf,
}

fn place(records: usize) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("audit");
    let log = AuditLog::new(dir.clone());
    for at in 0..records {
        log.append(deed(&format!("key:{}", at % 2), &at.to_string())).unwrap();
    }
    Place { _directory: directory, log, dir }
}

fn deed(actor: &str, detail: &str) -> Deed {
    Deed {
        actor: actor.into(),
        actor_key_id: Some(actor.replace("key:", "id")),
        surface: "http".into(),
        action: "send_message".into(),
        session_id: None,
        detail: detail.into(),
        outcome: "done".into(),
    }
}

impl Place {
    fn file(&self) -> PathBuf {
        self.dir.join(self.log.files().unwrap().last().unwrap())
    }

    fn edit(&self, edit: impl FnOnce(Vec<String>) -> Vec<String>) {
        let lines = fs::read_to_string(self.file()).unwrap().lines().map(str::to_owned).collect();
        fs::write(self.file(), edit(lines).into_iter().map(|line| line + "\n").collect::<String>()).unwrap();
    }
}

#[test]
fn an_untouched_log_holds() {
    let place = place(20);
    let verdict = place.log.verify().unwrap();
    assert_eq!((verdict.valid, verdict.records, verdict.broken), (true, 20, None));
    assert_eq!(AuditLog::new(place.dir.join("none")).verify().unwrap().records, 0);
}

#[rstest]
#[case::a_byte(|mut lines: Vec<String>| { lines[3] = lines[3].replace("\"detail\":\"3\"", "\"detail\":\"4\""); lines }, 4)]
#[case::a_space(|mut lines: Vec<String>| { lines[3] = lines[3].replace(",\"seq\"", ", \"seq\""); lines }, 4)]
#[case::one_left_out(|mut lines: Vec<String>| { lines.remove(3); lines }, 4)]
#[case::two_swapped(|mut lines: Vec<String>| { lines.swap(3, 4); lines }, 4)]
#[case::the_last_cut(|mut lines: Vec<String>| { lines.pop(); lines }, 0)]
#[case::one_twice(|mut lines: Vec<String>| { let last = lines[9].clone(); lines.push(last); lines }, 11)]
#[case::emptied(|_: Vec<String>| Vec::new(), 0)]
fn whatever_is_done_to_it_shows(#[case] edit: fn(Vec<String>) -> Vec<String>, #[case] line: u64) {
    let place = place(10);
    place.edit(edit);
    let broken = place.log.verify().unwrap().broken.unwrap();
    assert_eq!(broken.line, line, "{broken:?}");
    // What comes after does not cover it.
    place.log.append(deed("key:x", "later")).unwrap();
    assert!(!place.log.verify().unwrap().valid);
}

#[test]
fn a_chain_made_without_the_secret_shows() {
    let place = place(5);
    let forged = self::place(5);
    fs::copy(forged.file(), place.file()).unwrap();
    assert_eq!(place.log.verify().unwrap().broken.unwrap().line, 1);
    fs::copy(forged.dir.join("head"), place.dir.join("head")).unwrap();
    assert_eq!(place.log.verify().unwrap().broken.unwrap().line, 1);
}

#[test]
fn an_end_that_is_cut_with_its_head_shows() {
    let place = place(10);
    place.edit(|mut lines| {
        lines.truncate(5);
        lines
    });
    fs::remove_file(place.dir.join("head")).unwrap();
    assert_eq!(place.log.verify().unwrap().broken.unwrap().file, "head");
    place.log.append(deed("key:x", "later")).unwrap();
    let broken = place.log.verify().unwrap().broken.unwrap();
    assert_eq!(broken.line, 6, "{broken:?}");
}

#[test]
fn a_process_that_is_killed_between_record_and_head_harms_nothing() {
    let place = place(3);
    let head = fs::read(place.dir.join("head")).unwrap();
    place.log.append(deed("key:x", "the last thing it did")).unwrap();
    fs::write(place.dir.join("head"), head).unwrap();
    assert!(place.log.verify().unwrap().valid);
    // And one that is killed within its line.
    let mut text = fs::read_to_string(place.file()).unwrap();
    text.push_str("{\"action\":\"send_mess");
    fs::write(place.file(), text).unwrap();
    place.log.append(deed("key:y", "the next")).unwrap();
    let verdict = place.log.verify().unwrap();
    assert_eq!((verdict.valid, verdict.records), (true, 5), "{verdict:?}");
}

#[test]
fn many_write_at_once() {
    let place = place(0);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            // Each as another process would.
            let log = AuditLog::new(place.dir.clone());
            scope.spawn(move || {
                for at in 0..50 {
                    log.append(deed(&format!("key:{writer}"), &at.to_string())).unwrap();
                }
            });
        }
    });
    let verdict = place.log.verify().unwrap();
    assert_eq!((verdict.valid, verdict.records), (true, 400), "{verdict:?}");
}

#[test]
fn files_are_for_their_owner_alone_and_links_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place(1);
    for name in ["key", "head", "lock"] {
        assert_eq!(fs::metadata(place.dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o777, 0o600);
    let (file, aside) = (place.file(), place.dir.join("aside"));
    fs::rename(&file, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &file).unwrap();
    assert!(place.log.append(deed("key:x", "")).is_err());
}

#[test]
fn pages_go_back_through_what_fits() {
    let place = place(10);
    let query = AuditQuery { actor: Some("key:1".into()), ..AuditQuery::default() };
    let before = |cursor: Option<String>| Start::Before(cursor.unwrap());
    let details = |page: &AuditPage| page.records.iter().map(|one| one.detail.clone()).collect::<Vec<_>>();
    let first = place.log.page(&query, &Start::Newest, 2).unwrap().unwrap();
    assert_eq!(details(&first), ["7", "9"]);
    assert_eq!(first.chain.count, 5);
    let second = place.log.page(&query, &before(first.next_cursor), 2).unwrap().unwrap();
    assert_eq!(details(&second), ["3", "5"]);
    let last = place.log.page(&query, &before(second.next_cursor), 2).unwrap().unwrap();
    assert_eq!((details(&last), last.next_cursor), (vec!["1".to_owned()], None));
    assert_eq!(place.log.page(&query, &Start::Before("none".into()), 2).unwrap(), None);
}

#[rstest]
#[case::newest(0, &["7", "9"], true)]
#[case::next(2, &["3", "5"], true)]
#[case::between(1, &["5", "7"], true)]
#[case::last(4, &["1"], false)]
#[case::just_enough(3, &["1", "3"], false)]
#[case::beyond(5, &[], false)]
#[case::far_beyond(u64::MAX, &[], false)]
fn a_page_is_found_by_how_many_are_newer(#[case] newer: u64, #[case] told: &[&str], #[case] more: bool) {
    let place = place(10);
    let query = AuditQuery { actor: Some("key:1".into()), ..AuditQuery::default() };
    let page = place.log.page(&query, &Start::After(newer), 2).unwrap().unwrap();
    let details: Vec<_> = page.records.iter().map(|one| one.detail.as_str()).collect();
    assert_eq!((details.as_slice(), page.next_cursor.is_some(), page.chain.count), (told, more, 5));
}

#[test]
fn exports_run_nothing_in_a_spreadsheet() {
    let place = place(0);
    for detail in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "a,\"b\"\nc"] {
        place.log.append(deed("key:x", detail)).unwrap();
    }
    let mut csv = String::new();
    let export = place.log.export(AuditQuery::default(), Format::Csv).unwrap();
    assert_eq!(export.chain.count, 5);
    export
        .write(|line| {
            csv.push_str(&line);
            true
        })
        .unwrap();
    for cell in
        [",\"'=cmd|' /C calc'!A0\",", ",\"'+1\",", ",\"'-1\",", ",\"'@SUM(A1)\",", ",\"a,\"\"b\"\"\nc\","]
    {
        assert!(csv.contains(cell), "{cell} in {csv}");
    }
    let mut lines = 0;
    let export = place.log.export(AuditQuery::default(), Format::Ndjson).unwrap();
    export
        .write(|_| {
            lines += 1;
            lines < 2
        })
        .unwrap();
    assert_eq!(lines, 2);
}
