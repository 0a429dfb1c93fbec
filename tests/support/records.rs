//! What sessions leave behind, held against each other: journals, the store, Claude Code's own transcripts.

use aegis::domain::{Event, EventData, Receipt};
use aegis::holder::{SessionDir, journal};
use aegis::store::{SqliteStore, Store as _};
use serde_json::Value;

use super::Lab;
use super::processes::come;

/// All events of the laboratory's only session.
pub fn journaled(lab: &Lab) -> Vec<Event> {
    let mut journals = journals(lab);
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

/// All events of each session, as its journal has them; they are of one life and count from 1 without gaps.
pub fn journals(lab: &Lab) -> Vec<Vec<Event>> {
    let read = |dir| journal::read(&SessionDir::new(dir).journal(), None, usize::MAX).unwrap();
    let journals: Vec<Vec<Event>> = lab.session_dirs().into_iter().map(read).collect();
    for events in &journals {
        let numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
        assert!(events.windows(2).all(|pair| pair[0].epoch == pair[1].epoch));
    }
    journals
}

/// Who did what, and how it came out, by a page of the audit log.
pub fn deeds(log: &Value) -> Vec<(&str, &str, &str)> {
    let records = log["records"].as_array().unwrap().iter();
    records
        .map(|one| {
            (
                one["actor"].as_str().unwrap(),
                one["action"].as_str().unwrap(),
                one["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

/// Waits until the store has exactly what the journals have.
pub async fn all_stored(lab: &Lab) -> Vec<Vec<Event>> {
    let store = SqliteStore::open(&lab.app().paths.database).unwrap();
    come("the journals' copies in the store", async || {
        let journals = journals(lab);
        let copied = |events: &Vec<Event>| {
            let stored = store.events(events[0].session_id, None, usize::MAX >> 1).unwrap();
            stored == *events
        };
        journals.iter().all(copied).then_some(journals)
    })
    .await
}

/// Waits until the store has exactly what the only session's journal has.
pub async fn stored(lab: &Lab) -> Vec<Event> {
    let mut journals = all_stored(lab).await;
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

/// The last word on each receipt, in the order in which they began.
pub fn receipts(events: &[Event]) -> Vec<Receipt> {
    let mut receipts: Vec<Receipt> = Vec::new();
    for event in events {
        if let EventData::Receipt(receipt) = &event.data {
            match receipts.iter_mut().find(|known| known.id == receipt.id) {
                Some(known) => known.clone_from(receipt),
                None => receipts.push(receipt.clone()),
            }
        }
    }
    receipts
}

/// All prompts that stand in Claude Code's own transcripts.
pub fn prompts(lab: &Lab) -> Vec<String> {
    let projects = lab.home.path().join(".claude/projects");
    let dirs = std::fs::read_dir(projects).into_iter().flatten().map(|dir| dir.unwrap().path());
    let files = dirs.flat_map(|dir| std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()));
    let mut prompts = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|of| of == "jsonl")) {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if let (Some("user"), Some(text)) = (line["type"].as_str(), line["message"]["content"].as_str()) {
                prompts.push(text.to_owned());
            }
        }
    }
    prompts
}
