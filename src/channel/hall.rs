//! All channels of a configuration: named, listed, tried out, and run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::alert::AlertChannel;
use super::clock::{Clock, SystemClock};
use super::email::EmailChannel;
use super::http::Outside;
use super::slack::SlackChannel;
use super::telegram::TelegramChannel;
use super::webhook::WebhookChannel;
use super::{Accepted, Channel, SendError, Sessions, Worker};
use crate::config::Config;
use crate::domain::{DeliveryId, Notice, OutboxEntry, OutboxState, Topic};
use crate::names::{Lookup, SystemLookup};
use crate::store::{Store, wait_for_lock};

/// What channels are built from.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Where the outbox is.
    pub store: Arc<dyn Store>,
    /// Whose lock on a file in it is held runs that channel of this state directory.
    pub locks_dir: PathBuf,
    /// As that, for what this user has once on this machine, whatever the state directory: a bot's token.
    pub shared_dir: PathBuf,
    /// How names are looked up; the system's way unless given.
    pub lookup: Option<Arc<dyn Lookup>>,
    /// The time; the system's unless given.
    pub clock: Option<Arc<dyn Clock>>,
}

/// A channel of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whom it tells, without what is secret.
    pub target: String,
    /// What it tells.
    pub events: Vec<Topic>,
    /// What else there is to know about how it does.
    pub note: Option<String>,
}

/// All channels of a configuration.
pub struct Channels {
    all: Vec<Arc<dyn Channel>>,
    telegram: Option<Arc<TelegramChannel>>,
    alerts: Option<Arc<AlertChannel>>,
    /// Why a channel of the configuration is none.
    broken: Vec<(String, String)>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    locks_dir: PathBuf,
}

impl Channels {
    /// Builds the channels of a configuration. Connects to nothing.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, store, locks_dir, shared_dir, lookup, clock } = parts;
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        let lookup = lookup.unwrap_or_else(|| Arc::new(SystemLookup));
        let outside = Outside { lookup, ca_file: config.ca_file.clone() };
        let mut all: Vec<Arc<dyn Channel>> = Vec::new();
        let mut broken = Vec::new();
        let mut take = |name: &str, made: Result<Arc<dyn Channel>, SendError>| match made {
            Ok(channel) => all.push(channel),
            Err(error) => broken.push((name.to_owned(), error.what)),
        };
        let mut names = BTreeMap::new();
        for webhook in &config.webhooks {
            let name = unique(&mut names, format!("webhook-{}", short_hash(webhook.url.reveal())));
            let made = WebhookChannel::new(name.clone(), webhook, &outside);
            take(&name, made.map(|made| Arc::new(made) as _));
        }
        if let Some(url) = &config.slack_webhook_url {
            let made = SlackChannel::new(url, config.slack_events.clone(), &outside);
            take("slack", made.map(|made| Arc::new(made) as _));
        }
        if config.email.host.is_some() {
            let made = EmailChannel::new(&config.email, config.ca_file.clone());
            take("email", made.map(|made| Arc::new(made) as _));
        }
        let telegram = config.tg_token.as_ref().and_then(|token| {
            let lock = shared_dir.join(format!("telegram-{}.lock", short_hash(token.reveal())));
            match TelegramChannel::new(&config, token, lock, &outside, store.clone(), clock.clone()) {
                Ok(telegram) => Some(Arc::new(telegram)),
                Err(error) => {
                    take("telegram", Err(error));
                    None
                }
            }
        });
        if let Some(telegram) = &telegram {
            take("telegram", Ok(telegram.clone()));
        }
        let alerts = (!config.alerting.webhooks.is_empty())
            .then(|| Arc::new(AlertChannel::new(&config.alerting, &outside, store.clone(), clock.clone())));
        if let Some(alerts) = &alerts {
            take("alerts", Ok(alerts.clone()));
        }
        Self { all, telegram, alerts, broken, store, clock, locks_dir }
    }

    /// Whether the configuration names no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.broken.is_empty()
    }

    /// Lists the channels, in the order of their kinds.
    #[must_use]
    pub fn list(&self) -> Vec<Configured> {
        let good = self.all.iter().map(|channel| Configured {
            name: channel.name().to_owned(),
            kind: channel.kind(),
            target: channel.target(),
            events: Topic::ALL.iter().copied().filter(|topic| channel.wants(*topic)).collect(),
            note: None,
        });
        let broken = self.broken.iter().map(|(name, why)| Configured {
            name: name.clone(),
            kind: "broken",
            target: String::new(),
            events: Vec::new(),
            note: Some(why.clone()),
        });
        good.chain(broken).collect()
    }

    /// Sends a test alert, whatever was counted.
    pub async fn test_alerts(&self) -> Option<Vec<Result<Accepted, SendError>>> {
        match &self.alerts {
            Some(alerts) => Some(alerts.test().await),
            None => None,
        }
    }

    /// Tries a channel out, at once and past its outbox; `None` if there is no such channel.
    pub async fn test(&self, name: &str) -> Option<Result<Accepted, SendError>> {
        let channel = self.all.iter().find(|channel| channel.name() == name)?;
        let now = self.clock.now();
        let entry = OutboxEntry {
            number: 0,
            id: DeliveryId::mint(),
            channel: name.to_owned(),
            notice: Notice::test(now),
            state: OutboxState::Pending,
            attempts: 0,
            due_at: now,
            status: None,
            error: None,
            updated_at: now,
        };
        Some(channel.send(std::slice::from_ref(&entry)).await)
    }

    /// Runs those channels that no other process runs, and takes the others over as they become free, until the future
    /// is dropped. `woken` changes whenever there may be something to tell.
    pub async fn run(&self, sessions: Arc<dyn Sessions>, woken: watch::Receiver<()>) {
        for (name, why) in &self.broken {
            tracing::error!(channel = name, why, "a channel of the configuration cannot be used");
        }
        if let Some(telegram) = &self.telegram {
            telegram.use_sessions(sessions.clone());
        }
        // At once, so that what happens before a lock is free is told as well.
        let (store, names) = (self.store.clone(), self.all.iter().map(|channel| channel.name().to_owned()));
        let names: Vec<String> = names.collect();
        let added =
            tokio::task::spawn_blocking(move || names.iter().try_for_each(|name| store.add_channel(name)));
        if let Ok(Err(error)) = added.await {
            tracing::warn!(%error, "the channels cannot be made known yet");
        }
        let mut tasks = JoinSet::new();
        for channel in &self.all {
            let (channel, store, clock) = (channel.clone(), self.store.clone(), self.clock.clone());
            let (woken, lock) = (woken.clone(), self.locks_dir.join(format!("{}.lock", channel.name())));
            tasks.spawn(async move {
                match wait_for_lock(&lock, "channel-lock").await {
                    Ok(_lock) => Worker::new(channel, store, clock).run(woken).await,
                    Err(error) => {
                        tracing::error!(%error, channel = channel.name(), "a channel cannot be run")
                    }
                }
            });
        }
        if let Some(telegram) = self.telegram.clone() {
            tasks.spawn(async move { telegram.listen(sessions).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// The name, with a number behind it if there is one like it.
fn unique(names: &mut BTreeMap<String, usize>, name: String) -> String {
    let count = names.entry(name.clone()).or_default();
    *count += 1;
    if *count == 1 { name } else { format!("{name}-{count}") }
}

/// Names a secret without telling it: 32 bits of its hash.
fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
