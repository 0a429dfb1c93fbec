//! Alerts: failures that pile up are told once, to receivers of their own.
//!
//! A channel like any other, so that failures are counted exactly once, whichever process counts them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::http::Outside;
use super::webhook::WebhookChannel;
use super::{Accepted, Channel, SendError, Style};
use crate::config::Alerting;
use crate::domain::{OutboxEntry, Timestamp, Topic};
use crate::store::Store;

/// What is counted together, as receivers know it.
const SESSION_FAILURE: &str = "session_failure";
const API_ERRORS: &str = "api_error_rate";

/// The name of the channel.
const NAME: &str = "alerts";

/// How alerts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertStats {
    /// Alerts that a receiver took.
    pub delivered: u64,
    /// Alerts that one did not take.
    pub failed: u64,
    /// What is counted, by kind.
    pub trackers: BTreeMap<String, AlertTracker>,
}

/// What is counted of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertTracker {
    /// Failures within the cooldown.
    pub count: usize,
    /// When the last alert went out.
    pub last_alert_at: Option<Timestamp>,
}

/// Counts failures and tells when they pile up.
pub(super) struct AlertChannel {
    threshold: usize,
    cooldown: Duration,
    receivers: Vec<WebhookChannel>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Whether what was counted before was taken up.
    begun: bool,
    /// The last notice that was counted; one that is sent again counts once.
    counted: i64,
    kinds: BTreeMap<&'static str, Kind>,
    delivered: u64,
    failed: u64,
}

#[derive(Default)]
struct Kind {
    times: VecDeque<Timestamp>,
    last: Option<Timestamp>,
}

/// What is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    event: &'static str,
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
    detail: &'a str,
    failure_count: usize,
    threshold: usize,
    source: &'static str,
}

impl AlertChannel {
    pub(super) fn new(
        config: &Alerting,
        outside: &Outside,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let receivers = config.webhooks.iter().enumerate();
        let receivers = receivers
            .filter_map(|(at, webhook)| WebhookChannel::new(format!("alert-{at}"), webhook, outside).ok());
        Self {
            threshold: config.failure_threshold as usize,
            cooldown: Duration::from_millis(config.cooldown_ms),
            receivers: receivers.collect(),
            clock,
            store,
            counts: Mutex::default(),
        }
    }

    fn stats(&self) -> AlertStats {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let tracker = |kind: &Kind| AlertTracker { count: kind.times.len(), last_alert_at: kind.last };
        AlertStats {
            delivered: counts.delivered,
            failed: counts.failed,
            trackers: counts.kinds.iter().map(|(name, kind)| ((*name).to_owned(), tracker(kind))).collect(),
        }
    }

    /// Writes the counts down, for those that ask in another process, and for the next that counts.
    async fn keep(&self) {
        let Ok(note) = serde_json::to_string(&self.stats()) else { return };
        let store = self.store.clone();
        let kept = tokio::task::spawn_blocking(move || store.note_channel(NAME, &note, None)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "how alerts stand was not written down");
        }
    }

    /// Takes up what the process before counted: what went out, and when.
    async fn take_up(&self) {
        if std::mem::replace(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner).begun, true) {
            return;
        }
        let store = self.store.clone();
        let row = tokio::task::spawn_blocking(move || store.channel(NAME)).await;
        let Ok(Ok(Some(row))) = row else { return };
        let stats: AlertStats =
            row.note.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.delivered, counts.failed) = (stats.delivered, stats.failed);
        for kind in [SESSION_FAILURE, API_ERRORS] {
            let last = stats.trackers.get(kind).and_then(|tracker| tracker.last_alert_at);
            counts.kinds.entry(kind).or_default().last = last;
        }
    }

    pub(super) async fn test(&self) -> Vec<Result<Accepted, SendError>> {
        let id = format!("msg_{}", crate::domain::DeliveryId::mint());
        self.take_up().await;
        let results = self.post(SESSION_FAILURE, "This is a test alert", 0, &id).await;
        self.keep().await;
        results
    }

    async fn post(
        &self,
        kind: &str,
        detail: &str,
        count: usize,
        id: &str,
    ) -> Vec<Result<Accepted, SendError>> {
        let alert = Alert {
            event: "alert",
            kind,
            timestamp: self.clock.now(),
            detail,
            failure_count: count,
            threshold: self.threshold,
            source: "aegis",
        };
        let Ok(body) = serde_json::to_vec(&alert) else { return Vec::new() };
        let header = [("x-aegis-alert-type", kind)];
        let posts = self.receivers.iter().map(|receiver| receiver.post(id, body.clone(), &header));
        let results = join_all(posts).await;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for result in &results {
            *(if result.is_ok() { &mut counts.delivered } else { &mut counts.failed }) += 1;
        }
        results
    }

    /// Counts a failure; gives how many there are if an alert is due.
    fn count(&self, kind: &'static str, entry: &OutboxEntry) -> Option<usize> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = entry.number > counts.counted;
        counts.counted = counts.counted.max(entry.number);
        let of = counts.kinds.entry(kind).or_default();
        let now = entry.notice.timestamp;
        if fresh {
            of.times.push_back(now);
        }
        let within = |at: &Timestamp| Duration::from_millis(now.millis_since(*at)) < self.cooldown;
        while of.times.front().is_some_and(|at| !within(at)) {
            of.times.pop_front();
        }
        let quiet = of.last.as_ref().is_none_or(|last| !within(last));
        (quiet && of.times.len() >= self.threshold).then_some(of.times.len())
    }

    fn told(&self, kind: &'static str, at: Timestamp) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.kinds.entry(kind).or_default().last = Some(at);
    }
}

impl Channel for AlertChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> &'static str {
        "alerts"
    }

    fn target(&self) -> String {
        self.receivers.iter().map(Channel::target).collect::<Vec<_>>().join(", ")
    }

    fn wants(&self, topic: Topic) -> bool {
        matches!(topic, Topic::StatusDead | Topic::StatusError)
    }

    fn style(&self) -> Style {
        Style { most: 1, gather: Duration::ZERO, fold: None, side_by_side: 1, pace: None }
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            for entry in notices {
                let kind = match entry.notice.event {
                    Topic::StatusDead => SESSION_FAILURE,
                    Topic::StatusError => API_ERRORS,
                    Topic::ChannelTest => {
                        return self
                            .test()
                            .await
                            .into_iter()
                            .find(Result::is_err)
                            .unwrap_or(Ok(Accepted::default()));
                    }
                    _ => continue,
                };
                self.take_up().await;
                let due = self.count(kind, entry);
                let Some(count) = due else {
                    self.keep().await;
                    continue;
                };
                let detail = format!(
                    "{count} failures, the last in session {}: {}",
                    entry.notice.session.name, entry.notice.detail
                );
                let results = self.post(kind, &detail, count, &format!("msg_{}", entry.id)).await;
                // One receiver that took it is enough: the others would get it again and again with it.
                if results.iter().any(Result::is_ok) {
                    self.told(kind, entry.notice.timestamp);
                }
                self.keep().await;
                if results.iter().any(Result::is_ok) {
                    continue;
                }
                if let Some(Err(error)) = results.into_iter().next() {
                    return Err(error);
                }
            }
            Ok(Accepted::default())
        })
    }
}
