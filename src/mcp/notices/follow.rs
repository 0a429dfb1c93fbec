//! What one reader of resources follows, and when it is to be told.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::pace::Pace;
use super::screen::Screen;
use crate::domain::{ErrorCode, EventData, OpError, SessionId};
use crate::mcp::resources::{Place, Uri};
use crate::ops::{Aegis, Caller, News, NewsReader, Roster};

/// The most resources that one reader follows: several for each session of a busy machine.
const SUBSCRIPTIONS: usize = 500;

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Notice {
    /// Sessions have come or gone, and with them resources.
    List,
    /// The resource of this URI, as it was subscribed to, has changed.
    Updated(String),
}

/// Something that happened.
pub(super) enum Happened {
    /// These are to be told now.
    Due(Vec<Notice>),
    /// This is new.
    News(News),
}

struct Subscription {
    watched: Watched,
    /// Kept for as long as somebody is interested.
    _screen: Option<Screen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    Sessions,
    Health,
    Session(SessionId, Place),
}

/// What one reader follows. Everything ends when it is dropped.
pub(super) struct Following {
    aegis: Aegis,
    caller: Caller,
    roster: Option<Roster>,
    known: BTreeSet<SessionId>,
    news: Option<NewsReader>,
    subscriptions: HashMap<String, Subscription>,
    screens: mpsc::Receiver<String>,
    tell_screen: mpsc::Sender<String>,
    pace: Pace<Notice>,
}

impl Following {
    /// Follows nothing yet.
    pub(super) fn new(aegis: Aegis, caller: Caller) -> Self {
        let (tell_screen, screens) = mpsc::channel(16);
        Self {
            aegis,
            caller,
            roster: None,
            known: BTreeSet::new(),
            news: None,
            subscriptions: HashMap::new(),
            screens,
            tell_screen,
            pace: Pace::default(),
        }
    }

    /// Follows which sessions there are. Where that fails nothing is told of it; the log says why.
    pub(super) async fn list(&mut self) {
        match self.aegis.roster(&self.caller).await {
            Ok(roster) => {
                self.known = roster.ids();
                self.roster = Some(roster);
            }
            Err(error) => tracing::warn!(%error, "sessions that come and go cannot be told"),
        }
    }

    /// Follows what happens in all sessions.
    ///
    /// # Errors
    ///
    /// Those of [`Aegis::news`].
    pub(super) async fn news(&mut self) -> Result<(), OpError> {
        if self.news.is_none() {
            self.news = Some(self.aegis.news(&self.caller).await?);
        }
        Ok(())
    }

    /// Follows a resource: whatever changes after this returned is told.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for an unknown URI or one too many, and those of whatever names a session.
    pub(super) async fn subscribe(&mut self, text: &str) -> Result<(), OpError> {
        if self.subscriptions.contains_key(text) {
            return Ok(());
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS {
            let what = format!("no more than {SUBSCRIPTIONS} subscriptions");
            return Err(OpError::new(ErrorCode::InvalidArgument, what)
                .hint("unsubscribe from some; aegis://sessions covers all sessions"));
        }
        let watched = match text.parse::<Uri>()? {
            Uri::Sessions => Watched::Sessions,
            Uri::Health => Watched::Health,
            Uri::Session { reference, place } => {
                Watched::Session(self.aegis.find(&self.caller, &reference).await?, place)
            }
        };
        self.news().await?;
        let screen = match watched {
            Watched::Session(id, Place::Pane) => {
                let (aegis, caller) = (self.aegis.clone(), self.caller.clone());
                Some(Screen::watch(aegis, caller, id, text.to_owned(), self.tell_screen.clone()).await?)
            }
            Watched::Session(_, Place::Transcript) | Watched::Sessions | Watched::Health => None,
        };
        self.subscriptions.insert(text.to_owned(), Subscription { watched, _screen: screen });
        Ok(())
    }

    /// Follows a resource no more. One that is not followed is no error.
    pub(super) fn unsubscribe(&mut self, text: &str) {
        self.subscriptions.remove(text);
        self.pace.forget(&Notice::Updated(text.to_owned()));
    }

    /// Tells everything that is followed once, whether it has changed or not.
    pub(super) fn tell_all(&mut self) {
        self.subscriptions.keys().for_each(|uri| self.pace.change(Notice::Updated(uri.clone())));
        if self.roster.is_some() {
            self.pace.change(Notice::List);
        }
    }

    /// Whether any resource is followed.
    pub(super) fn follows_any(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// Lets go of the connections to holders.
    pub(super) fn no_news(&mut self) {
        self.news = None;
    }

    /// Waits for the next thing. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Happened {
        loop {
            tokio::select! {
                () = changed(self.roster.as_mut()) => {
                    let ids = self.roster.as_ref().map(Roster::ids).unwrap_or_default();
                    if std::mem::replace(&mut self.known, ids.clone()) != ids {
                        self.pace.change(Notice::List);
                    }
                }
                news = next(self.news.as_mut()) => {
                    for (uri, subscription) in &self.subscriptions {
                        if subscription.watched.concerned_by(&news) {
                            self.pace.change(Notice::Updated(uri.clone()));
                        }
                    }
                    return Happened::News(news);
                }
                Some(uri) = self.screens.recv() => {
                    if self.subscriptions.contains_key(&uri) {
                        self.pace.change(Notice::Updated(uri));
                    }
                }
                () = until(self.pace.due(Instant::now())) => {
                    return Happened::Due(self.pace.take(Instant::now()));
                }
            }
        }
    }
}

async fn changed(roster: Option<&mut Roster>) {
    match roster {
        Some(roster) => roster.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn next(news: Option<&mut NewsReader>) -> News {
    match news {
        Some(news) => news.next().await,
        None => std::future::pending().await,
    }
}

impl Watched {
    /// Whether the news changes what reading this would give.
    fn concerned_by(self, news: &News) -> bool {
        match (self, news) {
            (Self::Sessions | Self::Health, News::Came(_) | News::Ended(_) | News::Missed) => true,
            (Self::Session(id, Place::Pane), News::Ended(session)) => session.id == id,
            (Self::Session(_, Place::Transcript), News::Missed) => true,
            (Self::Session(id, Place::Transcript), News::Came(session)) => session.id == id,
            // What a screen shows is told by the screen.
            (Self::Session(_, Place::Transcript), News::Ended(_))
            | (Self::Session(_, Place::Pane), News::Came(_) | News::Missed | News::Event(_)) => false,
            (Self::Sessions, News::Event(event)) => match &event.data {
                EventData::Status { .. }
                | EventData::AskOpened(_)
                | EventData::AskResolved(_)
                | EventData::Conversation { .. }
                | EventData::Message { .. }
                | EventData::Gap { .. } => true,
                EventData::Launched { .. }
                | EventData::Receipt(_)
                | EventData::ContextFilled { .. }
                | EventData::Verified { .. }
                | EventData::Action { .. } => false,
            },
            (Self::Health, News::Event(event)) => {
                matches!(event.data, EventData::Status { .. } | EventData::Gap { .. })
            }
            (Self::Session(id, Place::Transcript), News::Event(event)) => {
                event.session_id == id
                    && matches!(event.data, EventData::Message { .. } | EventData::Gap { .. })
            }
        }
    }
}
