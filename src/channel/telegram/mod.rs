//! Telegram, both ways: a forum topic for each session, in which it tells and is talked to.
//!
//! What goes out comes through the outbox like that of every channel; [`listen`] has what comes in, [`ask`] how an ask
//! is shown and answered, [`api`] the Bot API. Buttons hold a random text that stands for one answer to one ask and is
//! good once; whatever comes in counts only from the configured group and from people who are allowed.

mod api;
mod ask;
mod command;
mod listen;
mod questions;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use url::Url;

use super::clock::Clock;
use super::http::Outside;
use super::slack::own_machine;
use super::text::{line, split};
use super::{Accepted, Channel, FOR_PEOPLE, SendError, Sessions, Style, chosen};
use crate::config::Config;
use crate::domain::Reach;
use crate::domain::{About, NoticeSession, OutboxEntry, Secret, SessionId, Topic};
use crate::fault;
use crate::store::{Store, StoreError};

use api::{Api, topic_is_gone};

/// The Bot API that everybody uses.
const API: &str = "https://api.telegram.org";

/// The longest message, in UTF-16 units.
const LONGEST: usize = 4096;

/// The name of the channel: a configuration has one bot.
const NAME: &str = "telegram";

/// A Telegram group.
pub struct TelegramChannel {
    api: Api,
    group: i64,
    allowed: Vec<i64>,
    events: Vec<Topic>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    sessions: OnceLock<Arc<dyn Sessions>>,
    /// Whoever has the lock on this file listens; one user may have several state directories and one bot.
    lock: PathBuf,
    /// Notices that were told though others of their message were not, so that trying again repeats nothing.
    told: Mutex<HashSet<i64>>,
}

impl TelegramChannel {
    pub(super) fn new(
        config: &Config,
        token: &Secret,
        lock: PathBuf,
        outside: &Outside,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SendError> {
        let group =
            config.tg_group.ok_or_else(|| SendError::lasting("tgGroup is not set (AEGIS_TG_GROUP)"))?;
        let plain = token.reveal().bytes().all(|b| b.is_ascii_alphanumeric() || b":_-".contains(&b));
        if !plain {
            return Err(SendError::lasting("tgToken is no token of a Telegram bot"));
        }
        let base = config.tg_api_url.as_deref().unwrap_or(API);
        // Whoever names this machine means it: a Bot API server of one's own.
        let local = Url::parse(base).is_ok_and(|url| own_machine(&url));
        if !local && !base.starts_with("https://") {
            return Err(SendError::lasting("tgApiUrl must begin with https://"));
        }
        let reach = Reach { loopback: local, private: config.tg_api_url.is_some() };
        Ok(Self {
            api: Api::new(base, token, reach, outside)?,
            group,
            allowed: config.tg_allowed_users.clone(),
            events: config.tg_events.clone(),
            store,
            clock,
            sessions: OnceLock::new(),
            lock,
            told: Mutex::default(),
        })
    }

    /// Lets the channel read whole messages, of which notices have the beginning.
    pub(super) fn use_sessions(&self, sessions: Arc<dyn Sessions>) {
        let _ = self.sessions.set(sessions);
    }

    async fn db<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, SendError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || call(store.as_ref())).await {
            Ok(result) => result.map_err(|error| SendError::passing(error.to_string())),
            Err(error) => Err(SendError::passing(error.to_string())),
        }
    }

    /// The topic of a session, opened if there is none.
    async fn topic(&self, session: &NoticeSession) -> Result<i64, SendError> {
        let id = session.id;
        if let Some((topic, _)) = self.db(move |store| store.chat_topic(NAME, id)).await? {
            return Ok(topic);
        }
        let unsure = self.db(move |store| store.intend_chat_topic(NAME, id)).await?;
        let topic = match self.api.open_topic(self.group, &format!("🤖 {}", session.name)).await {
            Ok(topic) => topic,
            Err(error) => {
                // Only where none can have been opened is that forgotten.
                if !unsure && !error.unsure {
                    self.forget_topic(id).await?;
                }
                return Err(error);
            }
        };
        fault::point("telegram.opened");
        self.db(move |store| store.set_chat_topic(NAME, id, topic, false)).await?;
        if unsure {
            self.tell_of_orphan(session).await;
        }
        let head = format!("{}\n{}\n{id}", session.name, session.work_dir);
        self.api.send(self.group, Some(topic), &head, &[]).await?;
        Ok(topic)
    }

    /// Tells, outside all topics, that a session may have a topic that nobody uses. Telegram gives no list of topics, so
    /// nobody but a person can find it.
    async fn tell_of_orphan(&self, session: &NoticeSession) {
        tracing::warn!(session = %session.id, "a topic may stand in the group that belongs to nothing");
        let name = &session.name;
        let text = format!(
            "Opening the topic of session {name} was cut short before, so there may be two of that name. \
             The newer one is used; an older one without messages can be deleted."
        );
        if let Err(error) = self.api.send(self.group, None, &text, &[]).await {
            tracing::info!(%error, "nobody was told of a topic that belongs to nothing");
        }
    }

    /// Says something in a session's topic; in a new one if somebody deleted it.
    async fn say(&self, session: &NoticeSession, text: &str) -> Result<(), SendError> {
        for piece in split(text, LONGEST) {
            let topic = self.topic(session).await?;
            match self.api.send(self.group, Some(topic), &piece, &[]).await {
                Err(error) if topic_is_gone(&error) => {
                    self.forget_topic(session.id).await?;
                    let topic = self.topic(session).await?;
                    self.api.send(self.group, Some(topic), &piece, &[]).await?;
                }
                other => drop(other?),
            }
        }
        Ok(())
    }

    async fn forget_topic(&self, id: SessionId) -> Result<(), SendError> {
        self.db(move |store| store.drop_chat_topic(NAME, id)).await
    }

    /// What is said of a notice: of Claude's own words all.
    async fn words(&self, entry: &OutboxEntry) -> String {
        let notice = &entry.notice;
        if let (Some(About::Message(message)), Some(sessions)) = (&notice.about, self.sessions.get())
            && notice.event == Topic::MessageAssistant
        {
            return match sessions.message(notice.session.id, *message).await {
                Ok(Some(text)) => text,
                Ok(None) | Err(_) => notice.detail.clone(),
            };
        }
        match notice.event {
            Topic::MessageAssistant => notice.detail.clone(),
            _ => line(notice),
        }
    }

    /// Tells notices; those that were told before one failed are not told again.
    async fn tell(&self, notices: &[OutboxEntry]) -> Result<(), SendError> {
        let mut gathered: Vec<(i64, String)> = Vec::new();
        for entry in notices {
            if self.was_told(entry.number) {
                continue;
            }
            match &entry.notice.about {
                Some(About::Ask(open)) => {
                    self.say_gathered(&entry.notice.session, &mut gathered).await?;
                    self.show_ask(&entry.notice, open).await?;
                    self.note_told(&[entry.number]);
                }
                Some(About::Settled(settled)) => {
                    self.say_gathered(&entry.notice.session, &mut gathered).await?;
                    self.show_settled(settled).await?;
                    self.note_told(&[entry.number]);
                }
                Some(About::Message(_)) | None => gathered.push((entry.number, self.words(entry).await)),
            }
            if entry.notice.event == Topic::SessionEnded {
                self.say_gathered(&entry.notice.session, &mut gathered).await?;
                self.close(entry.notice.session.id).await?;
            }
        }
        if let Some(last) = notices.last() {
            self.say_gathered(&last.notice.session, &mut gathered).await?;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|number| !notices.iter().any(|entry| entry.number == *number));
        Ok(())
    }

    async fn say_gathered(
        &self,
        session: &NoticeSession,
        gathered: &mut Vec<(i64, String)>,
    ) -> Result<(), SendError> {
        if gathered.is_empty() {
            return Ok(());
        }
        let (numbers, texts): (Vec<i64>, Vec<String>) = std::mem::take(gathered).into_iter().unzip();
        self.say(session, &texts.join("\n\n")).await?;
        self.note_told(&numbers);
        Ok(())
    }

    async fn close(&self, id: SessionId) -> Result<(), SendError> {
        if let Some((topic, false)) = self.db(move |store| store.chat_topic(NAME, id)).await? {
            self.api.close_topic(self.group, topic).await?;
            self.db(move |store| store.set_chat_topic(NAME, id, topic, true)).await?;
        }
        Ok(())
    }

    fn was_told(&self, number: i64) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    fn note_told(&self, numbers: &[i64]) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).extend(numbers);
    }
}

impl Channel for TelegramChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> &'static str {
        "telegram"
    }

    fn target(&self) -> String {
        format!("{}, group {}", self.api.host(), self.group)
    }

    fn wants(&self, topic: Topic) -> bool {
        // Whatever is shown with buttons is edited once it is settled.
        topic == Topic::AskResolved || chosen(topic, &self.events, FOR_PEOPLE)
    }

    fn style(&self) -> Style {
        Style {
            most: 10,
            gather: Duration::from_secs(1),
            fold: Some(Duration::from_secs(60)),
            side_by_side: 1,
            // Telegram takes 20 messages a minute in a group.
            pace: Some((20, Duration::from_secs(3))),
        }
    }

    fn send<'a>(&'a self, notices: &'a [OutboxEntry]) -> BoxFuture<'a, Result<Accepted, SendError>> {
        Box::pin(async move {
            if let [entry] = notices
                && entry.notice.event == Topic::ChannelTest
            {
                self.api.send(self.group, None, &line(&entry.notice), &[]).await?;
            } else {
                self.tell(notices).await?;
            }
            Ok(Accepted { status: Some(200) })
        })
    }
}
