//! What people do from a chat, through the same operations as from every other door.

use futures_util::future::BoxFuture;

use super::{
    Aegis, AnswerAsk, Caller, CreateSession, GetTranscript, KillSession, ListSessions, SendMessage,
    SessionRef,
};
use crate::channel::{NewChatSession, Sessions};
use crate::domain::{Answer, Ask, AskId, OpError, Session, SessionId};

/// The most characters of one message that a chat is told.
const LONGEST: u32 = 100_000;

/// The operations as channels need them.
pub struct ChatSessions(pub Aegis);

/// A person in a chat runs inside no session.
fn caller(by: String) -> Caller {
    Caller::local(by)
}

impl Sessions for ChatSessions {
    fn send(
        &self,
        by: String,
        id: SessionId,
        text: String,
        key: String,
    ) -> BoxFuture<'_, Result<(), OpError>> {
        Box::pin(async move {
            let req = SendMessage {
                session_id: id.to_string(),
                text: Some(text),
                idempotency_key: Some(key),
                ..SendMessage::default()
            };
            self.0.send_message(&caller(by), req).await.map(drop)
        })
    }

    fn answer(
        &self,
        by: String,
        id: SessionId,
        ask: AskId,
        answer: Answer,
    ) -> BoxFuture<'_, Result<Ask, OpError>> {
        Box::pin(async move {
            let req = AnswerAsk { session_id: id, ask_id: ask, answer };
            self.0.answer_ask(&caller(by), req).await
        })
    }

    fn show(&self, by: String, id: SessionId) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async move {
            let req = SessionRef { session_id: id.to_string() };
            Ok(self.0.get_status(&caller(by), req).await?.session)
        })
    }

    fn list(&self, by: String) -> BoxFuture<'_, Result<Vec<Session>, OpError>> {
        Box::pin(
            async move { Ok(self.0.list_sessions(&caller(by), ListSessions::default()).await?.sessions) },
        )
    }

    fn create(&self, by: String, new: NewChatSession) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async move {
            let req = CreateSession {
                work_dir: new.work_dir,
                prompt: new.prompt,
                reuse: Some(false),
                idempotency_key: Some(new.key),
                ..CreateSession::default()
            };
            Ok(self.0.create_session(&caller(by), req).await?.session)
        })
    }

    fn kill(&self, by: String, id: SessionId) -> BoxFuture<'_, Result<Session, OpError>> {
        Box::pin(async move {
            let req = KillSession { session_id: id.to_string(), force: None };
            self.0.kill_session(&caller(by), req).await
        })
    }

    fn message(&self, id: SessionId, message: u64) -> BoxFuture<'_, Result<Option<String>, OpError>> {
        Box::pin(async move {
            let req = GetTranscript {
                session_id: id.to_string(),
                after_id: Some(message.saturating_sub(1)),
                limit: Some(1),
                max_chars: Some(LONGEST),
                ..GetTranscript::default()
            };
            let page = self.0.get_transcript(&caller("telegram".into()), req).await?;
            Ok(page.messages.into_iter().find(|found| found.id == message).map(|found| found.text))
        })
    }
}
