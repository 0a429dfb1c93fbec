//! What comes in: one process listens for each token, whoever has the lock on the token's file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::api::{Message, Update};
use super::{NAME, TelegramChannel};
use crate::channel::backoff;
use crate::channel::clock::later;
use crate::channel::{SendError, Sessions};
use crate::domain::{Timestamp, cut};
use crate::store::{Refusal, wait_for_lock};

/// How long to leave the updates to another program that listens with the same token, as somebody's other machine does.
const CONFLICT: Duration = Duration::from_secs(30);

/// The longest wait between two tries to listen.
const LONGEST: Duration = Duration::from_secs(60);

impl TelegramChannel {
    /// Listens until the future is dropped.
    pub(in crate::channel) async fn listen(self: Arc<Self>, sessions: Arc<dyn Sessions>) {
        self.use_sessions(sessions.clone());
        let free = std::fs::File::options().create(true).truncate(false).write(true).open(&self.lock);
        if free.is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))) {
            self.note("only sends: another process of yours listens with this token", None).await;
        }
        let _lock = match wait_for_lock(&self.lock, "telegram-lock").await {
            Ok(lock) => lock,
            Err(error) => {
                tracing::error!(%error, "nobody listens to Telegram");
                return self.note("only sends: the token's lock cannot be had", None).await;
            }
        };
        let (mut offset, mut failures) = (0, 0_u32);
        loop {
            match self.api.updates(offset).await {
                Ok(updates) => {
                    failures = 0;
                    self.note("listens", Some(self.clock.now())).await;
                    offset = updates.iter().map(|update| update.update_id + 1).fold(offset, i64::max);
                    self.take(sessions.as_ref(), updates).await;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.wait(&error, failures).await;
                }
            }
        }
    }

    async fn wait(&self, error: &SendError, failures: u32) {
        let wait = if error.status == Some(409) {
            self.note("only sends: another program listens with this token", None).await;
            tracing::warn!(
                "another program listens to Telegram with this token; this one only sends for now"
            );
            CONFLICT
        } else {
            self.note(&format!("does not listen: {}", cut(&error.what, 200)), None).await;
            tracing::info!(%error, "Telegram's updates cannot be had");
            backoff::after(failures, error.after, u128::from(failures))
                .min(LONGEST.max(error.after.unwrap_or_default()))
        };
        self.clock.until(later(self.clock.now(), wait)).await;
    }

    /// Takes what came in: side by side for different topics, in order within one. Confirmed once all is done; what is
    /// told again after a crash does nothing twice.
    async fn take(&self, sessions: &dyn Sessions, updates: Vec<Update>) {
        let mut topics: BTreeMap<Option<i64>, Vec<Update>> = BTreeMap::new();
        for update in updates {
            let message = update.message.as_ref();
            let message = message.or(update.callback_query.as_ref().and_then(|tap| tap.message.as_ref()));
            topics.entry(message.and_then(|message| message.message_thread_id)).or_default().push(update);
        }
        let in_order = topics.into_values().map(|updates| async move {
            for update in updates {
                if let Some(tap) = &update.callback_query {
                    self.tapped(tap).await;
                } else if let Some(message) = &update.message {
                    self.said(sessions, update.update_id, message).await;
                }
            }
        });
        join_all(in_order).await;
    }

    /// Takes what somebody wrote, if it counts.
    async fn said(&self, sessions: &dyn Sessions, update: i64, message: &Message) {
        let (Some(from), Some(text)) = (&message.from, &message.text) else { return };
        if from.is_bot {
            return;
        }
        let here = message.chat.id == self.group;
        if !here || !self.allowed.contains(&from.id) {
            self.refused(from.id, "a message").await;
            // Whoever is not meant is answered only where nobody is allowed yet: else anybody could make it talk.
            if here && self.allowed.is_empty() {
                let topic = message.message_thread_id.filter(|_| message.is_topic_message);
                self.reply(topic, &self.how_to_be_allowed(from.id)).await;
            }
            return;
        }
        let topic = message.message_thread_id.filter(|_| message.is_topic_message);
        let session = match topic {
            Some(topic) => self.db(move |store| store.chat_session(NAME, topic)).await,
            None => Ok(None),
        };
        let said = match session {
            Ok(session) => self.command(sessions, from.id, update, session, text.trim()).await,
            Err(error) => Some(format!("That did not work: {error}")),
        };
        if let Some(said) = said {
            self.reply(topic, &said).await;
        }
    }

    /// Says something at once and past the outbox: an answer to whoever is there now.
    async fn reply(&self, topic: Option<i64>, text: &str) {
        for piece in crate::channel::text::split(text, super::LONGEST) {
            if let Err(error) = self.api.send(self.group, topic, &piece, &[]).await {
                tracing::info!(%error, "an answer in Telegram did not arrive");
                return;
            }
        }
    }

    pub(super) fn how_to_be_allowed(&self, user: i64) -> String {
        let list = "tgAllowedUsers in ~/.aegis/config.json, or AEGIS_TG_ALLOWED_USERS";
        if self.allowed.is_empty() {
            format!(
                "Nobody is allowed to use this bot yet. Your number is {user}: add it to {list}, and restart Aegis."
            )
        } else {
            format!("You are not allowed to use this bot. Your number is {user}.")
        }
    }

    /// Writes down that something was refused.
    pub(super) async fn refused(&self, user: i64, what: &str) {
        tracing::warn!(user, what, "refused in Telegram");
        let refusal = Refusal {
            at: self.clock.now(),
            channel: NAME.into(),
            who: format!("telegram:{user}"),
            what: what.to_owned(),
        };
        if let Err(error) = self.db(move |store| store.refuse(&refusal)).await {
            tracing::warn!(%error, "a refusal was not written down");
        }
    }

    async fn note(&self, note: &str, heard: Option<Timestamp>) {
        let note = note.to_owned();
        if let Err(error) = self.db(move |store| store.note_channel(NAME, &note, heard)).await {
            tracing::debug!(%error, "how Telegram does was not written down");
        }
    }
}
