//! The loop that every channel runs in: events become rows, rows become messages, and what became of each is written
//! down before the next of its session goes out.
//!
//! Whatever moment the process dies at, a notice is a row or its event has not been looked at yet; a message that was
//! taken but not written down is sent again under the same delivery id. One session's notices keep their order. A
//! receiver that fails is given time, longer with each failure, and tried with one message; one that fails only for one
//! session holds up only that one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::watch;

use super::clock::{Clock, earlier, later};
use super::{Channel, SendError, Style, backoff};
use crate::domain::{
    Attempt, AttemptOutcome, Event, Notice, NoticeSession, OutboxEntry, SessionSpec, Timestamp,
};
use crate::fault;
use crate::store::{ChannelHealth, Store, StoreError};

/// How many events are looked at in one transaction.
const EVENTS: usize = 500;

/// How many notices are looked at in one round.
const ROUND: usize = 256;

/// How many notices of one session go out before what became of them is written down.
const RUN: usize = 16;

/// So many attempts, some five hours, and a notice is given up.
const MOST_ATTEMPTS: u32 = 40;

/// So many attempts, some half an hour, if the receiver takes everything else meanwhile: then it is this notice that is
/// bad, and what waits behind it fills the outbox.
const MOST_ALONE: u32 = 12;

/// Nobody wants to be told, as news, what is older. Only a channel that was down for so long meets such notices.
const OLDEST: Duration = Duration::from_secs(3 * 24 * 3600);

/// After so many failures in a row the receiver is down, and not only one message is bad.
const DOWN: u32 = 3;

/// How long to wait before the store is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs one channel.
pub struct Worker {
    channel: Arc<dyn Channel>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// What a round came to.
enum Round {
    /// Something was done; there may be more to do.
    Busy,
    /// Nothing is to be done before this time, or before something happens.
    Until(Option<Timestamp>),
}

/// What bounds how fast messages go out.
struct Pace {
    left: f64,
    at: Timestamp,
}

impl Worker {
    /// Makes a worker for a channel.
    #[must_use]
    pub fn new(channel: Arc<dyn Channel>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { channel, store, clock }
    }

    /// Runs the channel until the future is dropped. `woken` changes whenever there may be something to tell.
    pub async fn run(&self, mut woken: watch::Receiver<()>) {
        let style = self.channel.style();
        let mut pace =
            Pace { left: style.pace.map_or(0.0, |(burst, _)| f64::from(burst)), at: self.clock.now() };
        loop {
            woken.mark_unchanged();
            let until = match self.round(style, &mut pace).await {
                Ok(Round::Busy) => continue,
                Ok(Round::Until(until)) => until,
                Err(error) => {
                    tracing::warn!(%error, channel = self.channel.name(), "the outbox cannot be used");
                    Some(later(self.clock.now(), AGAIN))
                }
            };
            let due = async {
                match until {
                    Some(at) => self.clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Ok(()) = woken.changed() => {}
                () = due => {}
            }
        }
    }

    async fn db<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (store, name) = (self.store.clone(), self.channel.name().to_owned());
        match tokio::task::spawn_blocking(move || call(store.as_ref(), &name)).await {
            Ok(result) => result,
            Err(error) => Err(StoreError::Internal { path: "outbox".into(), source: error.into() }),
        }
    }

    async fn round(&self, style: Style, pace: &mut Pace) -> Result<Round, StoreError> {
        let now = self.clock.now();
        let channel = self.channel.clone();
        let fold = style.fold.map(|fold| u64::try_from(fold.as_millis()).unwrap_or(u64::MAX));
        let looked = self
            .db(move |store, name| {
                let row = match store.channel_health(name)? {
                    Some(row) => row,
                    // The store was replaced, and is being filled again with what was told already.
                    None if !store.is_complete()? => return Ok(None),
                    None => {
                        store.add_channel(name)?;
                        ChannelHealth::default()
                    }
                };
                let derive = |event: &Event, spec: &SessionSpec| told(channel.as_ref(), event, spec);
                let taken = store.take_in(name, EVENTS, earlier(now, OLDEST), fold, &derive)?;
                if taken.events > 0 {
                    fault::point("channel.taken");
                }
                let paused = row.paused_until.is_some_and(|until| until > now);
                let due = if paused { Vec::new() } else { store.due(name, now, ROUND)? };
                let next = store.next_due(name)?;
                Ok(Some((row, taken, due, next)))
            })
            .await?;
        let Some((row, taken, due, next)) = looked else {
            return Ok(Round::Until(Some(later(now, AGAIN))));
        };
        let busy = taken.events > 0;
        if let Some(until) = row.paused_until.filter(|until| *until > now) {
            // Events wait in the store; only so many become rows meanwhile.
            return Ok(if busy { Round::Busy } else { Round::Until(Some(until)) });
        }
        let mut gathering = None;
        let mut messages = runs(due, style, now, &mut gathering);
        if row.failures >= DOWN {
            // Tried with one message, of the session that was tried longest ago.
            messages
                .sort_by_key(|run| run.first().and_then(|message| message.first()).map(|entry| entry.due_at));
            messages.truncate(1);
            messages.iter_mut().for_each(|run| run.truncate(1));
        }
        let count = messages.iter().map(Vec::len).sum();
        let allowed = pace.allow(style, now, count);
        let held = allowed < count;
        bound(&mut messages, allowed);
        if messages.is_empty() {
            if busy {
                return Ok(Round::Busy);
            }
            let paced = held.then(|| later(now, style.pace.map_or(AGAIN, |(_, each)| each)));
            // What is due already is being gathered or held.
            let next = next.filter(|at| *at > now);
            return Ok(Round::Until([next, gathering, paced].into_iter().flatten().min()));
        }
        self.send_all(style, messages, row.failures).await?;
        Ok(Round::Busy)
    }

    /// Sends runs of messages side by side, and writes down what became of them as they end.
    async fn send_all(
        &self,
        style: Style,
        runs: Vec<Vec<Vec<OutboxEntry>>>,
        mut failures: u32,
    ) -> Result<(), StoreError> {
        let most = if failures == 0 { MOST_ALONE } else { MOST_ATTEMPTS };
        let mut ended = std::pin::pin!(
            stream::iter(runs.into_iter().map(|run| self.send_run(run)))
                .buffer_unordered(style.side_by_side.max(1))
                .ready_chunks(style.side_by_side.max(1))
        );
        while let Some(chunk) = ended.next().await {
            let now = self.clock.now();
            let mut attempts = Vec::new();
            let mut asked = None;
            let (mut sent, mut failed) = (false, 0);
            for (entries, result) in chunk.into_iter().flatten() {
                match &result {
                    Ok(_) => sent = true,
                    Err(error) if error.retry => {
                        failed += 1;
                        asked = asked.max(error.after);
                    }
                    // The receiver is there and does not want this one.
                    Err(_) => sent = true,
                }
                attempts.extend(became(&entries, &result, most, now));
            }
            failures = if sent { 0 } else { failures.saturating_add(failed) };
            let down = failures >= DOWN || asked.is_some();
            let paused_until = (failed > 0 && down).then(|| {
                later(now, backoff::after(failures.saturating_sub(DOWN - 1).max(1), asked, chance()))
            });
            fault::point("channel.sent");
            let health = ChannelHealth { failures, paused_until };
            self.db(move |store, name| store.settle(name, &attempts, health, now)).await?;
            fault::point("channel.settled");
        }
        Ok(())
    }

    /// Sends one session's messages, one after the other, until one fails.
    async fn send_run(
        &self,
        run: Vec<Vec<OutboxEntry>>,
    ) -> Vec<(Vec<OutboxEntry>, Result<super::Accepted, SendError>)> {
        let mut ended = Vec::with_capacity(run.len());
        for message in run {
            fault::point("channel.sending");
            let result = self.channel.send(&message).await;
            // What is refused for good does not hold up what comes after it.
            let stop = result.as_ref().is_err_and(|error| error.retry);
            if let Err(error) = &result {
                tracing::info!(%error, channel = self.channel.name(), "a notice did not arrive");
            }
            ended.push((message, result));
            if stop {
                break;
            }
        }
        ended
    }
}

impl Pace {
    /// How many of `wanted` messages may go out now.
    // Few enough to be exact, and never below none.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn allow(&mut self, style: Style, now: Timestamp, wanted: usize) -> usize {
        let Some((burst, each)) = style.pace else { return wanted };
        let gained = now.millis_since(self.at) as f64 / each.as_millis().max(1) as f64;
        self.left = (self.left + gained).min(f64::from(burst));
        self.at = now;
        let allowed = wanted.min(self.left as usize);
        self.left -= allowed as f64;
        allowed
    }
}

/// What a channel tells of an event.
fn told(channel: &dyn Channel, event: &Event, spec: &SessionSpec) -> Vec<Notice> {
    let session =
        NoticeSession { id: spec.id, name: spec.name.clone(), work_dir: spec.work_dir.display().to_string() };
    let mut notices = Notice::of(event, &session);
    notices.retain(|notice| channel.wants(notice.event));
    notices
}

/// Notices as messages: one run a session, each message with as many as the channel likes. What is gathered yet is left
/// out, and `gathering` told when it is not any more.
fn runs(
    due: Vec<OutboxEntry>,
    style: Style,
    now: Timestamp,
    gathering: &mut Option<Timestamp>,
) -> Vec<Vec<Vec<OutboxEntry>>> {
    let mut sessions: Vec<Vec<OutboxEntry>> = Vec::new();
    for entry in due {
        let of = entry.notice.session.id;
        let known =
            sessions.iter_mut().find(|run| run.first().is_some_and(|first| first.notice.session.id == of));
        match known {
            Some(run) if run.len() < RUN.max(style.most) => run.push(entry),
            Some(_) => {}
            None => sessions.push(vec![entry]),
        }
    }
    sessions
        .into_iter()
        .filter_map(|run| {
            let urgent = run.iter().any(|entry| entry.notice.event.urgent()) || run.len() >= style.most;
            let ready = run.first().map(|first| later(first.notice.timestamp, style.gather))?;
            // A clock that was set back must not hold anything up for longer than it gathers.
            let ready = ready.min(later(now, style.gather));
            if !urgent && ready > now && run.iter().all(|entry| entry.attempts == 0) {
                *gathering = Some(gathering.map_or(ready, |at| at.min(ready)));
                return None;
            }
            let mut messages: Vec<Vec<OutboxEntry>> = Vec::new();
            for entry in run {
                match messages.last_mut() {
                    // What was tried together is tried again as it was, so that it can be known again.
                    Some(message) if message.len() < style.most && alike(message, &entry) => {
                        message.push(entry)
                    }
                    _ => messages.push(vec![entry]),
                }
            }
            Some(messages)
        })
        .collect()
}

/// Whether a notice may join a message: it was tried as often, and at the same time.
fn alike(message: &[OutboxEntry], entry: &OutboxEntry) -> bool {
    message.last().is_some_and(|last| (last.attempts, last.due_at) == (entry.attempts, entry.due_at))
}

/// Leaves at most so many messages.
fn bound(runs: &mut Vec<Vec<Vec<OutboxEntry>>>, most: usize) {
    let mut left = most;
    for run in runs.iter_mut() {
        run.truncate(left);
        left -= run.len();
    }
    runs.retain(|run| !run.is_empty());
}

/// What became of the notices of one message: they were told together, and are tried again together.
fn became(
    message: &[OutboxEntry],
    result: &Result<super::Accepted, SendError>,
    most: u32,
    now: Timestamp,
) -> Vec<Attempt> {
    let tried = message.iter().map(|entry| entry.attempts).max().unwrap_or_default();
    let chance = chance();
    let one = |entry: &OutboxEntry| {
        let number = entry.number;
        match result {
            Ok(accepted) => {
                Attempt { number, outcome: AttemptOutcome::Sent, status: accepted.status, error: None }
            }
            Err(error) => {
                let spent =
                    entry.attempts.saturating_add(1) >= most || entry.notice.timestamp < earlier(now, OLDEST);
                let outcome = if error.retry && !spent {
                    let wait = backoff::after(tried.saturating_add(1), error.after, chance);
                    AttemptOutcome::Again(later(now, wait))
                } else {
                    AttemptOutcome::GivenUp
                };
                Attempt { number, outcome, status: error.status, error: Some(error.what.clone()) }
            }
        }
    };
    message.iter().map(one).collect()
}

/// A random number.
fn chance() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}
