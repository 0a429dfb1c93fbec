//! A session's own files after a crash or a full disk: the input is what stands where events or rows should.

use std::io::Write as _;

use aegis::domain::{Action, Epoch, Event, EventData, MessageQuery, Position, SessionId, Timestamp};
use aegis::holder::journal::{self, Journal};
use aegis::holder::{Archive, SessionDir};

/// Events before the damage.
const INTACT: u64 = 3;

/// Stands in the input for the path of the transcript, which is another in every run.
const TRANSCRIPT: &str = "TRANSCRIPT";

/// Two lines of a transcript, which rows of the index may name.
const LINES: &str = concat!(
    r#"{"type":"user","uuid":"u","message":{"role":"user","content":"hello there"}}"#,
    "\n",
    r#"{"type":"assistant","uuid":"r","message":{"content":[{"type":"text","text":"hi"}]}}"#,
    "\n"
);

/// What was written before the damage is read, the journal goes on after it, and what was told once is not told
/// otherwise later. A damaged index of messages costs at most its own messages.
pub fn check(bytes: &[u8]) {
    let root = tempfile::tempdir().expect("a directory");
    let dir = SessionDir::new(root.path());
    events(&dir, bytes);
    messages(&dir, bytes);
}

fn events(dir: &SessionDir, damage: &[u8]) {
    let (path, epoch, session_id) = (dir.journal(), Epoch::mint(), SessionId::mint());
    let event = |seq| Event {
        epoch,
        seq,
        session_id,
        at: Timestamp::from_millis(1_795_337_042_671).expect("a time"),
        data: EventData::Action { action: Action::Escape, by: "mcp".into() },
    };
    let mut journal = Journal::open(&path).expect("a journal");
    (1..=INTACT).for_each(|seq| journal.append(&event(seq)).expect("written"));
    drop(journal);
    let mut file = std::fs::File::options().append(true).open(&path).expect("a journal");
    file.write_all(damage).expect("written");

    let read = |limit| journal::read(&path, None, limit).expect("readable");
    let found = read(usize::MAX);
    let intact: Vec<Event> = (1..=INTACT).map(event).collect();
    assert_eq!(found.get(..intact.len()), Some(&intact[..]), "lost what stood before the damage");
    for limit in 0..=found.len() {
        assert_eq!(read(limit), found[..limit], "another number than was asked for");
    }
    let after = Position { epoch, seq: INTACT };
    assert_eq!(journal::read(&path, Some(after), usize::MAX).expect("readable"), found[intact.len()..]);

    Journal::open(&path).expect("a journal").append(&event(INTACT + 1)).expect("written");
    let expected: Vec<Event> = found.into_iter().chain([event(INTACT + 1)]).collect();
    assert_eq!(read(usize::MAX), expected, "going on changed what was told");
}

fn messages(dir: &SessionDir, damage: &[u8]) {
    let transcript = dir.root().join("transcript.jsonl");
    std::fs::write(&transcript, LINES).expect("a file");
    let index = String::from_utf8_lossy(damage).replace(TRANSCRIPT, &transcript.display().to_string());
    std::fs::write(dir.messages(), index).expect("a file");
    for limit in [0, 1, 50] {
        let newest = MessageQuery { limit, max_chars: 100, ..MessageQuery::default() };
        let before = MessageQuery { before_id: Some(2), ..newest.clone() };
        let after = MessageQuery { after_id: Some(1), include_thinking: true, ..newest.clone() };
        for query in [newest, before, after] {
            // A row may name what is no file of lines; that is an error, and no more.
            let Ok(page) = Archive::open(dir).and_then(|archive| archive.page(&query)) else { continue };
            assert!(page.messages.len() <= limit, "more messages than were asked for");
            assert!(page.messages.is_sorted_by(|a, b| a.id < b.id), "out of order");
            let told: usize = page.messages.iter().map(|message| message.text.chars().count()).sum();
            assert!(told <= query.max_chars, "{told} characters told");
        }
    }
}
