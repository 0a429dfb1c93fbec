//! The outbox and its workers, with a receiver made of memory and a clock that is stepped.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aegis::channel::{Accepted, Channel, Clock, SendError, Style, Worker};
use aegis::domain::{
    Action, ContentType, Epoch, Event, EventData, OutboxEntry, OutboxState, Role, SessionId, SessionStatus,
    Source, StatusReport, StatusWord, Timestamp, Topic,
};
use aegis::store::{KEPT, MOST_PENDING, OutboxStore as _, SessionRow, SqliteStore, Store as _};
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::processes::come;
use crate::support::sessions::row;

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// A clock that stands still until it is stepped.
pub struct Stepped(watch::Sender<i64>);

impl Stepped {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(watch::channel(1_000_000_000_000).0))
    }

    pub fn step(&self, by: Duration) {
        self.0.send_modify(|now| *now += i64::try_from(by.as_millis()).unwrap());
    }
}

impl Clock for Stepped {
    fn now(&self) -> Timestamp {
        time(*self.0.borrow())
    }

    fn until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut told = self.0.subscribe();
        Box::pin(async move {
            let _ = told.wait_for(|now| *now >= at.millis()).await;
        })
    }
}

/// How a receiver answers.
type Answer = Result<(), SendError>;

/// A receiver that remembers what it was told, and answers as it is told to.
pub struct Receiver {
    name: String,
    style: Style,
    /// Whether it takes what the session with this name tells.
    down: Mutex<HashMap<String, SendError>>,
    once: Mutex<VecDeque<Answer>>,
    pub told: Mutex<Vec<Vec<OutboxEntry>>>,
    attempts: watch::Sender<usize>,
}

const SINGLE: Style = Style { most: 1, gather: Duration::ZERO, fold: None, side_by_side: 8, pace: None };

fn failure(retry: bool, after: Option<u64>) -> SendError {
    let after = after.map(Duration::from_secs);
    SendError { what: "down".into(), status: Some(503), retry, after, unsure: true }
}

impl Receiver {
    fn new(name: &str, style: Style) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            style,
            down: Mutex::default(),
            once: Mutex::default(),
            told: Mutex::default(),
            attempts: watch::channel(0).0,
        })
    }

    /// From now on it does not take what this session, or with "" any session, tells.
    fn fails(&self, session: &str, error: SendError) {
        self.down.lock().unwrap().insert(session.into(), error);
    }

    fn recovers(&self) {
        self.down.lock().unwrap().clear();
    }

    fn attempts(&self) -> usize {
        *self.attempts.borrow()
    }

    async fn attempted(&self, count: usize) {
        let mut attempts = self.attempts.subscribe();
        let enough = attempts.wait_for(|of| *of >= count);
        tokio::time::timeout(Duration::from_secs(40), enough).await.expect("it is tried").unwrap();
    }

    fn details(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().flatten().map(|entry| entry.notice.detail.clone()).collect()
    }
}

impl Channel for Receiver {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn target(&self) -> String {
        "memory".into()
    }

    fn wants(&self, topic: Topic) -> bool {
        topic != Topic::StatusWorking
    }

    fn style(&self) -> Style {
        self.style
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            let session = &notices[0].notice.session;
            assert!(notices.iter().all(|entry| entry.notice.session.id == session.id));
            let down = self.down.lock().unwrap();
            let failure = down.get("").or_else(|| down.get(&session.name)).cloned();
            drop(down);
            let once = self.once.lock().unwrap().pop_front();
            let result = once.unwrap_or(failure.map_or(Ok(()), Err));
            if result.is_ok() {
                self.told.lock().unwrap().push(notices.to_vec());
            }
            self.attempts.send_modify(|count| *count += 1);
            result.map(|()| Accepted { status: Some(200) })
        })
    }
}

/// A store with sessions, a clock, and channels that run.
pub struct Post {
    _dir: TempDir,
    pub store: Arc<SqliteStore>,
    pub clock: Arc<Stepped>,
    wake: watch::Sender<()>,
    running: Vec<JoinHandle<()>>,
    seqs: HashMap<SessionId, (Epoch, u64)>,
}

impl Post {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("aegis.db")).unwrap());
        let (clock, wake) = (Stepped::new(), watch::channel(()).0);
        Self { _dir: dir, store, clock, wake, running: Vec::new(), seqs: HashMap::new() }
    }

    pub fn session(&self, name: &str) -> SessionRow {
        let row = row(name, 1);
        self.store.insert_session(&row).unwrap();
        row
    }

    fn add(&self, channel: &Arc<Receiver>) {
        self.store.add_channel(&channel.name).unwrap();
    }

    fn run(&mut self, channel: &Arc<Receiver>) {
        self.add(channel);
        let worker = Worker::new(channel.clone(), self.store.clone(), self.clock.clone());
        let woken = self.wake.subscribe();
        self.running.push(tokio::spawn(async move { worker.run(woken).await }));
    }

    pub fn happens(&mut self, row: &SessionRow, data: Vec<EventData>) {
        let (epoch, seq) = self.seqs.entry(row.spec.id).or_insert_with(|| (Epoch::mint(), 0));
        let at = self.clock.now();
        let events: Vec<_> = data
            .into_iter()
            .map(|data| {
                *seq += 1;
                Event { epoch: *epoch, seq: *seq, session_id: row.spec.id, at, data }
            })
            .collect();
        self.store.ingest(&events, None).unwrap();
        self.wake.send_replace(());
    }

    fn pending(&self, channel: &str) -> usize {
        self.store.channel(channel).unwrap().unwrap().pending as usize
    }

    async fn empty(&self, channel: &str) {
        come("an empty outbox", async || {
            let row = self.store.channel(channel).unwrap().unwrap();
            (row.pending == 0 && row.behind == 0).then_some(())
        })
        .await;
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

fn says(text: &str) -> EventData {
    EventData::Message {
        id: 1,
        role: Role::Assistant,
        content_type: ContentType::Text,
        text: text.into(),
        tool_name: None,
    }
}

fn numbered(range: std::ops::Range<usize>) -> (Vec<EventData>, Vec<String>) {
    let texts: Vec<_> = range.map(|n| format!("text {n}")).collect();
    (texts.iter().map(|text| says(text)).collect(), texts)
}

fn stall() -> EventData {
    let report = StatusReport::new(SessionStatus::Stalled, time(0), Source::Silence);
    EventData::Status { report, from: StatusWord::Working, what: "300 s".into(), lag_ms: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_arrive_once_and_in_order_for_each_session() {
    let mut post = Post::new();
    let (one, two) = (post.session("one"), post.session("two"));
    let receiver = Receiver::new("a", SINGLE);
    post.run(&receiver);
    let (events, mut expected) = numbered(0..300);
    for pair in events.chunks(2) {
        post.happens(&one, pair.to_vec());
        post.happens(&two, vec![EventData::Action { action: Action::Interrupt, by: "cli".into() }]);
    }
    post.empty("a").await;
    let told = receiver.told.lock().unwrap().concat();
    let of = |name: &str| -> Vec<String> {
        told.iter()
            .filter(|entry| entry.notice.session.name == name)
            .map(|e| e.notice.detail.clone())
            .collect()
    };
    assert_eq!(of("one"), expected);
    expected.clear();
    assert_eq!(of("two").len(), 150);
    let ids: std::collections::HashSet<_> = told.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), told.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_for_an_hour_gets_everything_in_order() {
    let mut post = Post::new();
    let one = post.session("one");
    let receiver = Receiver::new("a", SINGLE);
    receiver.fails("", failure(true, None));
    post.run(&receiver);
    let (events, expected) = numbered(0..2500);
    for minute in events.chunks(42) {
        post.happens(&one, minute.to_vec());
        let tried = receiver.attempts();
        post.clock.step(Duration::from_secs(60));
        // Bounded, however long it lasts: the rest stays where it was.
        assert!(post.pending("a") <= MOST_PENDING);
        if tried < 5 {
            come("another try", async || {
                post.clock.step(Duration::from_secs(1));
                (receiver.attempts() > tried).then_some(())
            })
            .await;
        }
    }
    let row = post.store.channel("a").unwrap().unwrap();
    assert!(row.failures >= 5 && row.paused_until.is_some(), "{row:?}");
    assert!(receiver.attempts() < 60, "it was tried {} times in an hour", receiver.attempts());
    receiver.recovers();
    let (store, clock) = (post.store.clone(), post.clock.clone());
    come("everything", async || {
        clock.step(Duration::from_secs(60));
        let row = store.channel("a").unwrap().unwrap();
        (row.pending == 0 && row.behind == 0).then_some(())
    })
    .await;
    assert_eq!(receiver.details(), expected);
    assert_eq!(post.store.outbox(None, Some(OutboxState::Dead), 9).unwrap(), []);
    assert_eq!(post.store.outbox(None, None, usize::MAX >> 1).unwrap().len(), KEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_and_a_session_that_is_refused_hold_nobody_up() {
    let mut post = Post::new();
    let (bad, good) = (post.session("bad"), post.session("good"));
    let (dead, alive) = (Receiver::new("dead", SINGLE), Receiver::new("alive", SINGLE));
    dead.fails("", failure(true, None));
    alive.fails("bad", failure(true, None));
    post.run(&dead);
    post.run(&alive);
    let (events, expected) = numbered(0..50);
    post.happens(&bad, vec![says("poison"), says("behind it")]);
    post.happens(&good, events);
    come("what is good", async || (alive.details() == expected).then_some(())).await;
    alive.recovers();
    come("the rest", async || {
        post.clock.step(Duration::from_secs(10));
        (alive.details().len() == 52).then_some(())
    })
    .await;
    assert_eq!(alive.details()[50..], ["poison", "behind it"]);
    assert_eq!(dead.details(), Vec::<String>::new());
    assert_eq!(post.pending("dead"), 52);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_alone_is_not_taken_is_given_up_sooner() {
    let mut post = Post::new();
    let (bad, good) = (post.session("bad"), post.session("good"));
    let receiver = Receiver::new("a", SINGLE);
    receiver.fails("bad", failure(true, None));
    post.run(&receiver);
    post.happens(&bad, vec![says("poison")]);
    let store = post.store.clone();
    let mut told = 0;
    while store.channel("a").unwrap().unwrap().dead == 0 {
        post.happens(&good, vec![says("fine")]);
        told += 1;
        come("what is good", async || (receiver.details().len() == told).then_some(())).await;
        post.clock.step(Duration::from_secs(400));
        assert!(told < 200, "it is never given up");
    }
    let dead = store.outbox(None, Some(OutboxState::Dead), 9).unwrap();
    assert!((12..=14).contains(&dead[0].attempts), "{}", dead[0].attempts);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_kept_and_sent_again_by_hand() {
    let mut post = Post::new();
    let one = post.session("one");
    let receiver = Receiver::new("a", SINGLE);
    receiver.once.lock().unwrap().push_back(Err(failure(false, None)));
    post.run(&receiver);
    post.happens(&one, vec![says("first"), says("second")]);
    post.empty("a").await;
    assert_eq!(receiver.details(), ["second"]);
    let dead = post.store.outbox(Some("a"), Some(OutboxState::Dead), 9).unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].error.as_deref()), (1, 1, Some("down")));
    assert_eq!(post.store.channel("a").unwrap().unwrap().failures, 0);
    assert_eq!(post.store.retry(Some("a"), None, post.clock.now()).unwrap(), 1);
    post.wake.send_replace(());
    post.empty("a").await;
    assert_eq!(receiver.details(), ["second", "first"]);
    let told = receiver.told.lock().unwrap();
    assert_eq!(told[1][0].id, dead[0].id);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_bounded_and_so_is_what_is_kept() {
    let mut post = Post::new();
    let one = post.session("one");
    let receiver = Receiver::new("a", SINGLE);
    receiver.fails("", failure(true, None));
    post.run(&receiver);
    post.happens(&one, vec![says("never")]);
    let store = post.store.clone();
    come("it is given up", async || {
        post.clock.step(Duration::from_secs(900));
        (store.channel("a").unwrap().unwrap().dead == 1).then_some(())
    })
    .await;
    let dead = store.outbox(None, Some(OutboxState::Dead), 9).unwrap();
    assert_eq!((dead[0].attempts, receiver.attempts()), (40, 40));
    receiver.fails("", failure(false, None));
    let (events, _) = numbered(0..KEPT + 50);
    post.happens(&one, events);
    come("all is given up", async || {
        post.clock.step(Duration::from_secs(900));
        let row = store.channel("a").unwrap().unwrap();
        (row.pending == 0 && row.behind == 0).then_some(())
    })
    .await;
    assert_eq!(store.outbox(None, Some(OutboxState::Dead), 9999).unwrap().len(), KEPT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_gets_it() {
    let mut post = Post::new();
    let one = post.session("one");
    let receiver = Receiver::new("a", SINGLE);
    receiver.once.lock().unwrap().push_back(Err(failure(true, Some(30))));
    post.run(&receiver);
    post.happens(&one, vec![says("first")]);
    receiver.attempted(1).await;
    let row =
        come("the pause", async || post.store.channel("a").unwrap().filter(|row| row.paused_until.is_some()))
            .await;
    let pause = row.paused_until.unwrap().millis_since(post.clock.now());
    assert!((30_000..37_000).contains(&pause), "{pause}");
    post.happens(&one, vec![says("second")]);
    post.clock.step(Duration::from_secs(29));
    come("the second is a row", async || (post.pending("a") == 2).then_some(())).await;
    assert_eq!(receiver.attempts(), 1);
    post.clock.step(Duration::from_secs(8));
    post.empty("a").await;
    assert_eq!(receiver.details(), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_one_message_and_a_repeated_trouble_is_told_once() {
    let mut post = Post::new();
    let one = post.session("one");
    let style = Style {
        most: 20,
        gather: Duration::from_secs(2),
        fold: Some(Duration::from_secs(60)),
        side_by_side: 1,
        pace: None,
    };
    let chat = Receiver::new("chat", style);
    post.run(&chat);
    post.happens(&one, vec![stall(), says("a"), stall(), says("b"), stall()]);
    come("the rows", async || (post.pending("chat") == 3).then_some(())).await;
    assert_eq!(chat.attempts(), 0);
    post.clock.step(Duration::from_secs(2));
    post.empty("chat").await;
    assert_eq!(chat.told.lock().unwrap().len(), 1);
    assert_eq!(chat.details(), ["The turn shows no sign of life: 300 s", "a", "b"]);
    // After a minute it is news again.
    post.clock.step(Duration::from_secs(60));
    post.happens(&one, vec![stall()]);
    come("the row", async || (post.pending("chat") == 1).then_some(())).await;
    post.clock.step(Duration::from_secs(2));
    post.empty("chat").await;
    assert_eq!(chat.told.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_keep_to_their_pace() {
    let mut post = Post::new();
    let sessions: Vec<_> = (0..5).map(|n| post.session(&format!("s{n}"))).collect();
    let style = Style { pace: Some((2, Duration::from_secs(3))), side_by_side: 1, ..SINGLE };
    let slow = Receiver::new("slow", style);
    post.run(&slow);
    for row in &sessions {
        post.happens(row, vec![says("x")]);
    }
    slow.attempted(2).await;
    for count in 3..=5 {
        post.clock.step(Duration::from_secs(3));
        slow.attempted(count).await;
        assert_eq!(slow.attempts(), count);
    }
}
