//! What every store does for channels.

use aegis::domain::{
    Answer, AskId, Attempt, AttemptOutcome, Epoch, Event, Notice, NoticeSession, OutboxState, Remember,
    SessionSpec, Topic,
};
use aegis::store::{ChannelHealth, ChatAsk, ChatButton, KEPT, MOST_PENDING, Refusal, Store, TakenIn};

use super::{at, events, row};

/// One notice for each event, of a topic that folds.
fn stalls(event: &Event, spec: &SessionSpec) -> Vec<Notice> {
    vec![Notice {
        event: Topic::StatusStall,
        timestamp: event.at,
        detail: "silent".into(),
        meta: None,
        session: NoticeSession { id: spec.id, name: spec.name.clone(), work_dir: "/work".into() },
        about: None,
    }]
}

pub fn outbox(store: &dyn Store) {
    let (one, two) = (row("one", 1), row("two", 2));
    for session in [&one, &two] {
        store.insert_session(session).unwrap();
    }
    let epoch = Epoch::mint();
    store.ingest(&events(one.spec.id, epoch, 1..=3), None).unwrap();
    store.add_channel("a").unwrap();
    store.add_channel("a").unwrap();
    let take = |most, fold| store.take_in("a", most, at(0), fold, &stalls).unwrap();
    // What was before the channel is not told to it.
    assert_eq!(take(99, None), TakenIn::default());
    store.ingest(&events(one.spec.id, epoch, 4..=6), None).unwrap();
    store.ingest(&events(two.spec.id, epoch, 1..=1), None).unwrap();
    assert_eq!(take(2, None), TakenIn { events: 2, added: 2 });
    assert_eq!(take(99, None), TakenIn { events: 2, added: 2 });
    assert_eq!(take(99, None), TakenIn::default());
    store.delete_session(two.spec.id).unwrap();
    store.insert_session(&two).unwrap();
    // The number of a removed event is not used again.
    store.ingest(&events(two.spec.id, epoch, 1..=1), None).unwrap();
    assert_eq!(take(99, None), TakenIn { events: 1, added: 1 });

    let due = |now| store.due("a", at(now), 99).unwrap();
    let numbers: Vec<_> = due(0).iter().map(|entry| entry.number).collect();
    assert!(numbers.is_sorted() && numbers.len() == 5);
    let settle = |number, outcome, failures, now| {
        let attempt = Attempt { number, outcome, status: Some(500), error: Some("no".into()) };
        let health = ChannelHealth { failures, paused_until: None };
        store.settle("a", &[attempt], health, at(now)).unwrap();
    };
    // The first of a session that is not due holds up that session and no other.
    let id = due(0)[0].id;
    settle(numbers[0], AttemptOutcome::Again(at(50)), 1, 10);
    assert_eq!(due(49).iter().map(|entry| entry.number).collect::<Vec<_>>(), numbers[3..]);
    assert_eq!(store.next_due("a").unwrap(), Some(at(0)));
    assert_eq!((due(50).len(), due(50)[0].id, due(50)[0].attempts), (5, id, 1));
    settle(numbers[0], AttemptOutcome::GivenUp, 2, 60);
    // What is settled is settled.
    settle(numbers[0], AttemptOutcome::Sent, 0, 61);
    settle(numbers[1], AttemptOutcome::Sent, 0, 62);
    let row = store.channel("a").unwrap().unwrap();
    assert_eq!((row.pending, row.dead, row.failures, row.behind), (3, 1, 0, 0));
    assert_eq!((row.last_success, row.last_error.as_deref()), (Some(at(62)), Some("no")));
    let dead = store.outbox(Some("a"), Some(OutboxState::Dead), 9).unwrap();
    assert_eq!((dead.len(), dead[0].id, dead[0].attempts, dead[0].status), (1, id, 2, Some(500)));
    assert_eq!(store.retry(Some("other"), None, at(70)).unwrap(), 0);
    assert_eq!(store.retry(None, Some(&id.to_string()), at(70)).unwrap(), 1);
    assert_eq!((due(70)[0].id, due(70)[0].attempts), (id, 0));

    // A trouble that comes again is told once, for a while.
    store.ingest(&events(one.spec.id, epoch, 7..=7), None).unwrap();
    assert_eq!(take(99, Some(1000)), TakenIn { events: 1, added: 0 });
    // What is too old is passed over and counted.
    store.ingest(&events(one.spec.id, epoch, 8..=8), None).unwrap();
    let taken = store.take_in("a", 99, at(1_001), None, &stalls).unwrap();
    assert_eq!(taken, TakenIn { events: 1, added: 0 });
    assert_eq!(store.channel("a").unwrap().unwrap().expired, 1);

    // No more rows than there is room for; the rest waits as events, and of what is done a part is kept.
    let many = u64::try_from(MOST_PENDING + 100).unwrap();
    store.ingest(&events(one.spec.id, epoch, 9..=8 + many), None).unwrap();
    while take(500, None).events > 0 {}
    let row = store.channel("a").unwrap().unwrap();
    assert_eq!((row.pending as usize, row.behind as usize), (MOST_PENDING, 104));
    let all = store.due("a", at(99), usize::MAX >> 1).unwrap();
    let sent: Vec<_> = all
        .iter()
        .map(|entry| Attempt {
            number: entry.number,
            outcome: AttemptOutcome::Sent,
            status: None,
            error: None,
        })
        .collect();
    store.settle("a", &sent, ChannelHealth::default(), at(99)).unwrap();
    assert_eq!(store.outbox(None, Some(OutboxState::Sent), usize::MAX >> 1).unwrap().len(), KEPT);
    assert_eq!(take(500, None).added, 104);
    store.note_channel("a", "listens", Some(at(5))).unwrap();
    store.note_channel("a", "does not listen", None).unwrap();
    let row = store.channel("a").unwrap().unwrap();
    assert_eq!((row.note.as_deref(), row.heard_at), (Some("does not listen"), Some(at(5))));
    assert_eq!(store.channel("nobody").unwrap(), None);
}

pub fn chat(store: &dyn Store) {
    let session = row("one", 1).spec.id;
    assert_eq!(store.chat_topic("a", session).unwrap(), None);
    let intend = || store.intend_chat_topic("a", session).unwrap();
    assert_eq!([intend(), intend()], [false, true]);
    assert!(!store.intend_chat_topic("b", session).unwrap());
    assert_eq!((store.chat_topic("a", session).unwrap(), store.chat_session("a", 0).unwrap()), (None, None));
    store.drop_chat_topic("a", session).unwrap();
    assert_eq!([intend(), intend()], [false, true]);
    store.set_chat_topic("a", session, 7, false).unwrap();
    store.set_chat_topic("a", session, 8, true).unwrap();
    assert_eq!(store.chat_topic("a", session).unwrap(), Some((8, true)));
    assert_eq!(store.chat_session("a", 8).unwrap(), Some(session));
    assert_eq!((store.chat_session("a", 7).unwrap(), store.chat_session("b", 8).unwrap()), (None, None));
    store.drop_chat_topic("a", session).unwrap();
    assert_eq!(store.chat_topic("a", session).unwrap(), None);

    let ask = ChatAsk { ask: AskId::mint(), session, message: None, shown: "Bash".into(), settled: None };
    let choice = Answer::Approve { input_hash: Some("h".into()), remember: Remember::Once };
    let button = |token: &str| ChatButton { token: token.into(), choice: choice.clone() };
    store.show_ask("a", &ask, &[button("old")], at(1)).unwrap();
    store.show_ask("a", &ask, &[button("t1"), button("t2")], at(2)).unwrap();
    assert_eq!(store.chat_button("a", "old").unwrap(), None);
    assert_eq!(store.chat_button("b", "t1").unwrap(), None);
    assert_eq!(store.chat_button("a", "t1").unwrap(), Some((ask.clone(), choice.clone())));
    assert_eq!([store.use_button("t1").unwrap(), store.use_button("t1").unwrap()], [true, false]);
    assert_eq!(store.chat_buttons("a", ask.ask).unwrap(), [(button("t1"), true), (button("t2"), false)]);
    assert_eq!(store.chat_buttons("b", ask.ask).unwrap(), []);
    store.free_button("t1").unwrap();
    assert_eq!(store.chat_buttons("a", ask.ask).unwrap(), [(button("t1"), false), (button("t2"), false)]);
    assert!(store.use_button("t1").unwrap());
    store.set_ask_message("a", ask.ask, 5).unwrap();
    store.set_ask_settled("a", ask.ask, "approved by cli").unwrap();
    let shown = ChatAsk { message: Some(5), settled: Some("approved by cli".into()), ..ask.clone() };
    assert_eq!(store.chat_ask("a", ask.ask).unwrap(), Some(shown));
    // After 30 days nobody scrolls back.
    let later = ChatAsk { ask: AskId::mint(), ..ask.clone() };
    store.show_ask("a", &later, &[], at(31 * 24 * 3_600_000)).unwrap();
    assert_eq!((store.chat_ask("a", ask.ask).unwrap(), store.chat_button("a", "t1").unwrap()), (None, None));

    let refusal = |who: &str| Refusal { at: at(1), channel: "a".into(), who: who.into(), what: "x".into() };
    (0..600).for_each(|n| store.refuse(&refusal(&n.to_string())).unwrap());
    let kept = store.refusals(9999).unwrap();
    assert_eq!((kept.len(), kept[0].who.as_str()), (aegis::store::KEPT_REFUSALS, "599"));
}
