//! The file itself: its mode, its versions, and what cannot be opened.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aegis::domain::{Epoch, ErrorCode, PipelineEvent, StageEvent};
use aegis::store::{
    KeyStore, MemoryStore as _, PipelineClaim, PipelineRow, PipelineStore as _, SqliteStore, Store,
    StoreError, TemplateStore as _,
};
use rusqlite::Connection;

use super::{at, events, open, pipeline, row};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn only_its_owner_can_read_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.insert_session(&row("one", 1)).unwrap();
    let state = directory.path().join("state");
    assert_eq!(mode(&state), 0o700);
    for entry in state.read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn an_empty_file_gets_its_tables_and_a_current_one_keeps_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aegis.db");
    std::fs::write(&path, "").unwrap();
    let session = row("one", 1);
    SqliteStore::open(&path).unwrap().insert_session(&session).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap().live_sessions().unwrap(), [session]);
}

#[test]
fn an_older_file_gets_the_newer_tables_and_keeps_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let session = row("one", 1);
    let told = events(session.spec.id, Epoch::mint(), 1..=3);
    {
        let store = open(directory.path());
        store.insert_session(&session).unwrap();
        store.ingest(&told, None).unwrap();
    }
    let path = directory.path().join("state/aegis.db");
    let raw = Connection::open(&path).unwrap();
    let newer = [
        "memory",
        "templates",
        "outbox",
        "channels",
        "chat_topics",
        "chat_asks",
        "chat_buttons",
        "channel_refusals",
        "api_key_hashes",
        "api_keys",
        "steps",
    ];
    for table in newer {
        raw.execute_batch(&format!("DROP TABLE {table};")).unwrap();
    }
    // Events had no numbers yet.
    raw.execute_batch(
        "ALTER TABLE events RENAME TO numbered; CREATE TABLE events (epoch INTEGER NOT NULL \
         REFERENCES epochs (number) ON DELETE CASCADE, seq INTEGER NOT NULL, at INTEGER NOT NULL, \
         body TEXT NOT NULL, UNIQUE (epoch, seq)) STRICT; \
         INSERT INTO events SELECT epoch, seq, at, body FROM numbered; DROP TABLE numbered; \
         PRAGMA user_version = 2;",
    )
    .unwrap();
    drop(raw);
    let store = open(directory.path());
    assert_eq!(store.events(session.spec.id, None, 9).unwrap(), told);
    assert_eq!(store.live_sessions().unwrap(), [session]);
    assert_eq!(store.memory_keys(1, at(0)).unwrap(), [""; 0]);
    assert_eq!(store.templates(None, 1).unwrap(), []);
}

#[test]
fn a_step_that_came_to_be_in_between_is_done_later() {
    let directory = tempfile::tempdir().unwrap();
    let session = row("one", 1);
    open(directory.path()).insert_session(&session).unwrap();
    let path = directory.path().join("state/aegis.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "DROP TABLE memory; DROP TABLE templates; DELETE FROM steps WHERE number = 3; PRAGMA user_version = 3;",
    )
    .unwrap();
    drop(raw);
    let store = open(directory.path());
    assert_eq!(store.live_sessions().unwrap(), [session]);
    assert_eq!(store.templates(None, 1).unwrap(), []);
    assert_eq!(store.api_keys().unwrap(), []);
}

#[test]
fn a_newer_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aegis.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn a_damaged_file_is_put_aside_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aegis.db");
    let rubbish = "this is no database ".repeat(500);
    std::fs::write(&path, &rubbish).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    assert!(!store.is_complete().unwrap());
    let entries = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = entries.filter(|path| path.to_string_lossy().contains("db.damaged-")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), rubbish);
}

/// Whatever was written of pipelines is there again after the database is lost, with the keys of their creation.
#[test]
fn pipelines_outlive_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let first = pipeline("ship", 1);
    store.insert_pipeline(&first, Some(("key", "print"))).unwrap();
    let begun = first.after(&PipelineEvent::Stage { at: 0, event: StageEvent::Chosen }, at(2)).unwrap();
    store.save_pipeline(&begun, 1).unwrap();
    let second = pipeline("other", 3);
    store.insert_pipeline(&second, None).unwrap();
    let state = directory.path().join("state");
    let copy = state.join(format!("pipelines/{}.json", first.id));
    assert_eq!((mode(copy.parent().unwrap()), mode(&copy)), (0o700, 0o600));
    std::fs::write(state.join("pipelines/torn.json"), "{").unwrap();
    drop(store);
    std::fs::write(state.join("aegis.db"), "rubbish ".repeat(1000)).unwrap();

    let store = open(directory.path());
    assert_eq!(store.restore_pipelines().unwrap(), 2);
    assert_eq!(store.restore_pipelines().unwrap(), 0);
    assert_eq!(store.pipeline(first.id).unwrap(), Some(PipelineRow { pipeline: begun.clone(), revision: 2 }));
    assert_eq!(store.pipelines(None, None, 9).unwrap(), [second, begun]);
    let known = PipelineClaim::Known { id: first.id, fingerprint: "print".into() };
    assert_eq!(store.insert_pipeline(&first, Some(("key", "print"))).unwrap(), known);
}

#[test]
fn a_row_that_cannot_be_read_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.insert_session(&row("one", 1)).unwrap();
    let raw = Connection::open(directory.path().join("state/aegis.db")).unwrap();
    raw.execute("UPDATE sessions SET spec = '{'", []).unwrap();
    let error = store.live_sessions().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::StorageFailed);
    // But none of the file, which stays.
    assert_eq!(store.replace_damaged().unwrap(), None);
    assert!(store.live_sessions().is_err());
}

#[test]
fn a_place_that_cannot_be_written_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut places = vec![file];
    if !rustix::process::geteuid().is_root() {
        // Root may write everywhere.
        let closed = directory.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
        places.push(closed.join("state"));
    }
    if cfg!(target_os = "linux") {
        // Nobody may make files here, not even root.
        places.push("/proc/self/task".into());
    }
    for place in places {
        let error = SqliteStore::open(&place.join("aegis.db")).err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{place:?}: {error}");
        assert_eq!(error.code(), ErrorCode::StorageFailed);
    }
}
