//! Many at once on one file: threads with connections of their own, and processes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;

use aegis::domain::{Epoch, SessionId};
use aegis::store::{KeyClaim, PipelineClaim, PipelineStore as _, SqliteStore, Store, StoreError};

use super::{at, events, open, pipeline, row};

/// Names the directory in which a process of [`many_processes_open_one_new_file`] works.
const DIRECTORY: &str = "AEGIS_TEST_STORE";

/// Runs `run` in `count` threads at the same moment, each with its own connection to a file that none has made.
pub(super) fn at_once<T: Send>(
    directory: &Path,
    count: usize,
    run: impl Fn(&SqliteStore) -> T + Sync,
) -> Vec<T> {
    let barrier = Barrier::new(count);
    let one = || {
        barrier.wait();
        let store = open(directory);
        barrier.wait();
        run(&store)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_ten_claims_to_a_key_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let claims = at_once(directory.path(), 10, |store| {
        let id = SessionId::mint();
        (id, store.claim_key("key", "print", id, at(1)).unwrap())
    });
    let winners: Vec<_> = claims.iter().filter(|(_, claim)| *claim == KeyClaim::Yours).collect();
    assert_eq!(winners.len(), 1);
    let taken = KeyClaim::Taken { id: winners[0].0, fingerprint: "print".into() };
    assert!(claims.iter().all(|(_, claim)| *claim == KeyClaim::Yours || *claim == taken));
}

#[test]
fn of_ten_sessions_with_a_name_one_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let results = at_once(directory.path(), 10, |store| store.insert_session(&row("name", 1)));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = results.iter().filter(|result| matches!(result, Err(StoreError::NameTaken { .. })));
    assert_eq!(refused.count(), 9);
    assert_eq!(open(directory.path()).live_sessions().unwrap().len(), 1);
}

#[test]
fn of_ten_writers_of_a_pipeline_one_writes() {
    let directory = tempfile::tempdir().unwrap();
    let stored = pipeline("ship", 1);
    open(directory.path()).insert_pipeline(&stored, None).unwrap();
    let written = at_once(directory.path(), 10, |store| store.save_pipeline(&stored, 1).unwrap());
    assert_eq!(written.iter().filter(|written| **written).count(), 1);
    assert_eq!(open(directory.path()).pipeline(stored.id).unwrap().unwrap().revision, 2);
}

#[test]
fn of_ten_pipelines_with_a_key_one_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let claims = at_once(directory.path(), 10, |store| {
        store.insert_pipeline(&pipeline("ship", 1), Some(("key", "print"))).unwrap()
    });
    assert_eq!(claims.iter().filter(|claim| **claim == PipelineClaim::New).count(), 1);
    assert_eq!(open(directory.path()).pipelines(None, None, 99).unwrap().len(), 1);
}

#[test]
fn two_writers_of_the_same_events_leave_no_doubles() {
    let directory = tempfile::tempdir().unwrap();
    let session = row("one", 1);
    open(directory.path()).insert_session(&session).unwrap();
    let epoch = Epoch::mint();
    let all = events(session.spec.id, epoch, 1..=300);
    let stored = at_once(directory.path(), 2, |store| {
        all.chunks(7).map(|chunk| store.ingest(chunk, None).unwrap()).sum::<usize>()
    });
    assert_eq!(stored.iter().sum::<usize>(), 300);
    assert_eq!(open(directory.path()).events(session.spec.id, None, 1_000).unwrap(), all);
}

#[test]
fn many_processes_open_one_new_file() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        // This is one of the processes that the test below started.
        let store = open(Path::new(&directory));
        let claim = store.claim_key("key", "print", SessionId::mint(), at(1)).unwrap();
        let mark = if claim == KeyClaim::Yours { "winner" } else { "other" };
        store.insert_session(&row(&format!("{mark}-{}", std::process::id()), 1)).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::together::many_processes_open_one_new_file"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut processes: Vec<_> = (0..8).map(|_| start()).collect();
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let rows = open(directory.path()).live_sessions().unwrap();
    assert_eq!(rows.len(), 8);
    assert_eq!(rows.iter().filter(|row| row.spec.name.starts_with("winner")).count(), 1);
}
