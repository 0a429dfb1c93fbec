//! What channels that listen need of sessions. The operations fulfil it; nothing here knows them.

use futures_util::future::BoxFuture;

use crate::domain::{Answer, Ask, AskId, OpError, Session, SessionId};

/// A session that somebody asks for in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChatSession {
    /// The directory.
    pub work_dir: String,
    /// The first prompt.
    pub prompt: Option<String>,
    /// The same key starts one session.
    pub key: String,
}

/// What a channel asks for in somebody's name. `by` names the surface and the person: `telegram:1234`.
pub trait Sessions: Send + Sync {
    /// Sends a text as a prompt, or as the answer to an open question. The same key sends nothing twice.
    fn send(
        &self,
        by: String,
        id: SessionId,
        text: String,
        key: String,
    ) -> BoxFuture<'_, Result<(), OpError>>;

    /// Answers exactly one ask.
    fn answer(
        &self,
        by: String,
        id: SessionId,
        ask: AskId,
        answer: Answer,
    ) -> BoxFuture<'_, Result<Ask, OpError>>;

    /// Gives one session.
    fn show(&self, by: String, id: SessionId) -> BoxFuture<'_, Result<Session, OpError>>;

    /// Gives the live sessions, newest first.
    fn list(&self, by: String) -> BoxFuture<'_, Result<Vec<Session>, OpError>>;

    /// Starts a session.
    fn create(&self, by: String, new: NewChatSession) -> BoxFuture<'_, Result<Session, OpError>>;

    /// Ends a session.
    fn kill(&self, by: String, id: SessionId) -> BoxFuture<'_, Result<Session, OpError>>;

    /// Gives the whole text of a message, of which events have only the beginning.
    fn message(&self, id: SessionId, message: u64) -> BoxFuture<'_, Result<Option<String>, OpError>>;
}
