//! What every store does, written over the trait.

use std::path::Path;

use aegis::domain::{
    Epoch, Pipeline, PipelineEvent, PipelineId, PipelineStatus, Position, SessionId, StageEvent,
};
use aegis::store::{
    IngestMark, KEY_LIFETIME_MS, KeyClaim, PipelineClaim, PipelineRow, SessionRow, Store, StoreError,
};

use super::{at, events, last, open, pipeline, row};

#[test]
fn sqlite_keeps_the_contract() {
    let parts: [fn(&dyn Store); 9] = [
        sessions_live_and_end,
        names,
        finding,
        ended_pages,
        keys,
        journal,
        pipelines,
        super::channels::outbox,
        super::channels::chat,
    ];
    for part in parts {
        let directory = tempfile::tempdir().unwrap();
        part(&open(directory.path()));
    }
    let directory = tempfile::tempdir().unwrap();
    small_things(&open(directory.path()));
}

fn ids(rows: &[SessionRow]) -> Vec<SessionId> {
    rows.iter().map(|row| row.spec.id).collect()
}

fn sessions_live_and_end(store: &dyn Store) {
    let mut first = row("first", 1);
    let second = row("second", 2);
    store.insert_session(&first).unwrap();
    store.insert_session(&second).unwrap();
    assert_eq!(ids(&store.live_sessions().unwrap()), [second.spec.id, first.spec.id]);
    store.set_holder(first.spec.id, 7, 70).unwrap();
    (first.holder_pid, first.holder_start) = (Some(7), Some(70));
    assert_eq!(store.session(first.spec.id).unwrap().unwrap(), first);
    let reusable = |owner| store.reusable(Path::new("/work"), owner, "settings").unwrap();
    assert_eq!(ids(&reusable("ada")), [first.spec.id, second.spec.id]);
    assert_eq!(reusable("eve"), []);

    assert!(store.set_ended(first.spec.id, &last(&first, 0)).unwrap());
    assert!(!store.set_ended(first.spec.id, &last(&first, 1)).unwrap());
    first.ended = Some(last(&first, 0));
    assert_eq!(store.session(first.spec.id).unwrap().unwrap(), first);
    assert_eq!(store.live_sessions().unwrap(), std::slice::from_ref(&second));
    assert_eq!(reusable("ada"), std::slice::from_ref(&second));

    store.delete_session(second.spec.id).unwrap();
    store.delete_session(second.spec.id).unwrap();
    assert_eq!(store.session(second.spec.id).unwrap(), None);
    let gone = second.spec.id;
    assert!(matches!(store.set_holder(gone, 1, 1), Err(StoreError::NoSuchSession { id }) if id == gone));
    assert!(matches!(store.set_ended(gone, &last(&second, 0)), Err(StoreError::NoSuchSession { .. })));
}

fn names(store: &dyn Store) {
    let first = row("name", 1);
    let again = row("name", 2);
    store.insert_session(&first).unwrap();
    assert!(matches!(store.insert_session(&first), Err(StoreError::SessionExists { .. })));
    assert!(matches!(store.insert_session(&again), Err(StoreError::NameTaken { name }) if name == "name"));
    store.set_ended(first.spec.id, &last(&first, 0)).unwrap();
    store.insert_session(&again).unwrap();
    assert_eq!(ids(&store.find_sessions("name").unwrap()), [again.spec.id, first.spec.id]);
}

fn finding(store: &dyn Store) {
    let session = row("one", 1);
    store.insert_session(&session).unwrap();
    let id = session.spec.id.to_string();
    for reference in [&*id, &id[..6], &id[..20], &id.to_uppercase()[..9], "one"] {
        assert_eq!(store.find_sessions(reference).unwrap(), std::slice::from_ref(&session), "{reference}");
    }
    for reference in ["", "on", "one%", &id[..5], &id[1..9], &SessionId::mint().to_string()] {
        assert_eq!(store.find_sessions(reference).unwrap(), [], "{reference}");
    }
    for created in 2..20 {
        let same = row("many", created);
        store.insert_session(&same).unwrap();
        store.set_ended(same.spec.id, &last(&same, 0)).unwrap();
    }
    let live = row("many", 1);
    store.insert_session(&live).unwrap();
    let found = store.find_sessions("many").unwrap();
    let created: Vec<_> = found.iter().map(|row| row.spec.created_at.millis()).collect();
    assert_eq!(created, [1, 19, 18, 17, 16, 15, 14, 13, 12, 11]);
}

fn ended_pages(store: &dyn Store) {
    let mut expected = Vec::new();
    for created in [1, 2, 2, 2, 3] {
        let mut session = row("same", created);
        if created == 3 {
            session.spec.work_dir = "/elsewhere".into();
        }
        store.insert_session(&session).unwrap();
        store.set_ended(session.spec.id, &last(&session, 0)).unwrap();
        expected.push((session.spec.created_at, session.spec.id));
    }
    store.insert_session(&row("live", 9)).unwrap();
    expected.sort();
    expected.reverse();
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.ended_sessions(before, None, 2).unwrap();
        found.extend(page.iter().map(|row| (row.spec.created_at, row.spec.id)));
        if page.len() < 2 {
            break;
        }
        before = found.last().copied();
    }
    assert_eq!(found, expected);
    let elsewhere = store.ended_sessions(None, Some(Path::new("/elsewhere")), 9).unwrap();
    assert_eq!(ids(&elsewhere), [expected[0].1]);
}

fn keys(store: &dyn Store) {
    let (first, second) = (SessionId::mint(), SessionId::mint());
    let claim = |id, now| store.claim_key("key", "print", id, at(now)).unwrap();
    let taken = KeyClaim::Taken { id: first, fingerprint: "print".into() };
    let week = i64::try_from(KEY_LIFETIME_MS).unwrap();
    assert_eq!(claim(first, 0), KeyClaim::Yours);
    assert_eq!(claim(second, 1), taken);
    assert_eq!(claim(second, week), taken);
    assert_eq!(claim(second, week + 1), KeyClaim::Yours);
    // Only from the session that it belongs to.
    assert_eq!(store.move_key("key", second, first).unwrap(), Some(first));
    assert_eq!(store.move_key("key", second, second).unwrap(), Some(first));
    assert_eq!(store.move_key("no key", first, second).unwrap(), None);
    store.release_key("key").unwrap();
    store.release_key("key").unwrap();
    assert_eq!(claim(first, week + 2), KeyClaim::Yours);
}

fn journal(store: &dyn Store) {
    let session = row("one", 1);
    let id = session.spec.id;
    store.insert_session(&session).unwrap();
    assert_eq!((store.last_position(id).unwrap(), store.ingest_mark(id).unwrap()), (None, None));
    // The second life's id may sort before the first one's.
    let (one, two) = (Epoch::mint(), Epoch::mint());
    let mark = IngestMark { session: id, file: "journal.1".into(), offset: 99 };
    assert_eq!(store.ingest(&events(id, one, 3..=4), Some(&mark)).unwrap(), 2);
    assert_eq!(store.ingest_mark(id).unwrap(), Some(mark.clone()));
    assert_eq!(store.ingest(&events(id, one, 1..=5), None).unwrap(), 3);
    assert_eq!(store.ingest(&events(id, two, 1..=2), None).unwrap(), 2);
    assert_eq!(store.ingest(&events(id, one, 1..=5), None).unwrap(), 0);

    let all = [events(id, one, 1..=5), events(id, two, 1..=2)].concat();
    assert_eq!(store.events(id, None, 100).unwrap(), all);
    assert_eq!(store.events(id, Some(Position { epoch: one, seq: 4 }), 2).unwrap(), all[4..6]);
    assert_eq!(store.events(id, Some(Position { epoch: two, seq: 2 }), 9).unwrap(), []);
    assert_eq!(store.events(id, Some(Position { epoch: Epoch::mint(), seq: 0 }), 9).unwrap(), []);
    assert_eq!(store.last_position(id).unwrap(), Some(Position { epoch: two, seq: 2 }));

    let stranger = SessionId::mint();
    let mixed = [events(id, two, 3..=3), events(stranger, two, 1..=1)].concat();
    let later = IngestMark { offset: 100, ..mark.clone() };
    let refused = store.ingest(&mixed, Some(&later));
    assert!(matches!(refused, Err(StoreError::NoSuchSession { id }) if id == stranger));
    assert_eq!(store.last_position(id).unwrap(), Some(Position { epoch: two, seq: 2 }));
    assert_eq!(store.ingest_mark(id).unwrap(), Some(mark));

    store.delete_session(id).unwrap();
    assert_eq!((store.events(id, None, 9).unwrap(), store.ingest_mark(id).unwrap()), (Vec::new(), None));
}

fn pipelines(store: &dyn Store) {
    let first = pipeline("ship", 1);
    assert_eq!(store.insert_pipeline(&first, Some(("key", "print"))).unwrap(), PipelineClaim::New);
    let known = PipelineClaim::Known { id: first.id, fingerprint: "print".into() };
    assert_eq!(store.insert_pipeline(&pipeline("other", 2), Some(("key", "else"))).unwrap(), known);
    assert_eq!(store.pipeline(first.id).unwrap(), Some(PipelineRow { pipeline: first.clone(), revision: 1 }));
    assert_eq!(store.pipeline(PipelineId::mint()).unwrap(), None);
    let id = first.id.to_string();
    for reference in [&*id, &id[..6], "ship"] {
        assert_eq!(store.find_pipelines(reference).unwrap(), std::slice::from_ref(&first), "{reference}");
    }
    for reference in ["", "shi", "other", &id[..5]] {
        assert_eq!(store.find_pipelines(reference).unwrap(), [], "{reference}");
    }

    // Whoever has not seen the last writing writes nothing.
    let chosen = PipelineEvent::Stage { at: 1, event: StageEvent::Chosen };
    let begun = first.after(&chosen, at(5)).unwrap();
    assert!(store.save_pipeline(&begun, 1).unwrap());
    assert!(!store.save_pipeline(&first, 1).unwrap());
    assert_eq!(store.pipeline(first.id).unwrap(), Some(PipelineRow { pipeline: begun.clone(), revision: 2 }));
    assert!(!store.save_pipeline(&pipeline("never stored", 3), 1).unwrap());

    let over = begun.after(&PipelineEvent::Cancel { by: "cli".into() }, at(6)).unwrap();
    let second = pipeline("ship", 3);
    store.insert_pipeline(&second, None).unwrap();
    let third = pipeline("ship", 2).after(&PipelineEvent::Cancel { by: "cli".into() }, at(6)).unwrap();
    store.insert_pipeline(&third, None).unwrap();
    assert!(store.save_pipeline(&over, 2).unwrap());
    assert_eq!(store.open_pipelines().unwrap(), [first.id, second.id]);
    let ids = |found: Vec<Pipeline>| found.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(store.find_pipelines("ship").unwrap()), [second.id, third.id, first.id]);
    assert_eq!(ids(store.pipelines(None, None, 2).unwrap()), [second.id, third.id]);
    let before = Some((third.created_at, third.id));
    assert_eq!(store.pipelines(None, before, 9).unwrap(), [over]);
    let cancelled = store.pipelines(Some(PipelineStatus::Cancelled), None, 9).unwrap();
    assert_eq!(ids(cancelled), [third.id]);
}

fn small_things(store: &dyn Store) {
    let path = Path::new("/opt/claude");
    assert_eq!(store.claude_version(path, "1").unwrap(), None);
    store.set_claude_version(path, "1", "2.1.0").unwrap();
    assert_eq!(store.claude_version(path, "1").unwrap().as_deref(), Some("2.1.0"));
    store.set_claude_version(path, "2", "2.2.0").unwrap();
    assert_eq!(store.claude_version(path, "1").unwrap(), None);
    store.check().unwrap();
    store.check().unwrap();
    assert_eq!(store.claude_version(Path::new(""), "").unwrap(), None);
    let mut huge = row("huge", 1);
    huge.holder_start = Some(u64::MAX);
    assert!(matches!(store.insert_session(&huge), Err(StoreError::Unstorable { .. })));
    assert_eq!(store.live_sessions().unwrap(), []);
}
