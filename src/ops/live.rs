//! What doors need beside the operations that clients call: news as it happens, and what a prompt's arguments mean.

use serde_json::Value;

use super::{Aegis, Caller};
use crate::access::Permission;
use crate::claude::hook::HOOK_EVENTS;
use crate::domain::{Answer, Ask, AskId, ErrorCode, Event, OpError, Position, Secret, SessionId};
use crate::engine::{Feed, Mark, Newcomer, NewsReader, Place, Project, Replay, Roster};

/// A hook event that a session's Claude Code tells over the network.
#[derive(Clone, Debug, PartialEq)]
pub struct HookCall {
    /// Whose.
    pub session_id: SessionId,
    /// The session's secret.
    pub secret: Secret,
    /// The event's name.
    pub event: String,
    /// What Claude Code tells of it.
    pub payload: Value,
}

/// An answer to exactly one ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerAsk {
    /// Whose ask.
    pub session_id: SessionId,
    /// Which.
    pub ask_id: AskId,
    /// The answer.
    pub answer: Answer,
}

impl Aegis {
    /// Tells which sessions live, and when one comes or goes.
    ///
    /// # Errors
    ///
    /// `internal` where the system refuses to watch a directory, `storage_failed`.
    pub async fn roster(&self, caller: &Caller) -> Result<Roster, OpError> {
        Ok(self.engine.roster().await?.of_key(caller.confined().map(str::to_owned)))
    }

    /// Claims the one window that a session gets; see [`crate::engine::Engine::claim_window`].
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn claim_window(&self, _: &Caller, id: SessionId) -> Result<bool, OpError> {
        self.engine.claim_window(id).await
    }

    /// Follows all live sessions: what happens after this returned is told.
    ///
    /// # Errors
    ///
    /// As [`Aegis::roster`].
    pub async fn news(&self, caller: &Caller) -> Result<NewsReader, OpError> {
        self.engine.news_of(caller.confined().map(str::to_owned)).await
    }

    /// Follows all sessions in one order that readers can take up again; what happens after this returned is told.
    ///
    /// # Errors
    ///
    /// As [`Aegis::roster`].
    pub async fn feed(&self) -> Result<Feed, OpError> {
        self.engine.feed().await
    }

    /// Tells what a session is called and where it works.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn newcomer(&self, id: SessionId) -> Result<Newcomer, OpError> {
        self.engine.newcomer(id).await
    }

    /// Gives what happened between a place and a later mark of a feed's order.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn replay(&self, _: &Caller, place: &Place, to: Mark) -> Result<Replay, OpError> {
        self.engine.replay(place, to).await
    }

    /// Gives a session's events after a position, oldest first: some hundred at most, none if there are no more.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `storage_failed`.
    pub async fn events_after(
        &self,
        _: &Caller,
        id: SessionId,
        after: Option<Position>,
    ) -> Result<Vec<Event>, OpError> {
        self.engine.events_after(id, after, usize::MAX).await
    }

    /// Finds the session that is meant.
    ///
    /// # Errors
    ///
    /// `no_such_session`, `ambiguous_session`, `storage_failed`.
    pub async fn find(&self, caller: &Caller, reference: &str) -> Result<SessionId, OpError> {
        self.engine.resolve_seen(reference, caller.confined()).await
    }

    /// Tells whether the caller may answer a session's asks: not those of the session that it runs inside, nor of that
    /// one's ancestors.
    ///
    /// # Errors
    ///
    /// `storage_failed`.
    pub async fn may_answer(&self, caller: &Caller, id: SessionId) -> Result<bool, OpError> {
        match caller.inside {
            Some(inside) => Ok(!self.engine.lineage(inside).await?.contains(&id)),
            None => Ok(true),
        }
    }

    /// Answers exactly one ask, whatever its kind. One that is not open any more is never answered in its place, nor is
    /// the answer sent as a prompt.
    ///
    /// # Errors
    ///
    /// As [`Aegis::approve_permission`].
    pub async fn answer_ask(&self, caller: &Caller, req: AnswerAsk) -> Result<Ask, OpError> {
        let (action, needs) = match &req.answer {
            Answer::Reject { .. } => ("reject_permission", Permission::Reject),
            _ => ("approve_permission", Permission::Approve),
        };
        let act = self.begin(caller, action, needs).await?;
        act.what(format!("ask {}", req.ask_id));
        let done = async {
            let id = act.on(self.guard_own(caller, &req.session_id.to_string()).await?);
            self.engine.answer(id, Some(req.ask_id), req.answer, &caller.surface).await
        };
        let done = done.await;
        act.end(done).await
    }

    /// Hands a hook event of a session's Claude Code to its holder, and gives what Claude Code is to be told; nothing for
    /// no opinion. The session's secret stands for the caller.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for an event that there is not, `forbidden` for a wrong secret or session,
    /// `holder_unreachable`.
    pub async fn hook(&self, req: HookCall) -> Result<String, OpError> {
        if !HOOK_EVENTS.contains(&req.event.as_str()) {
            let event: String = req.event.chars().take(100).collect();
            return Err(OpError::new(ErrorCode::InvalidArgument, format!("Unknown hook event: {event}")));
        }
        self.engine.hook(req.session_id, req.secret, req.event, req.payload).await
    }

    /// Finds a directory that sessions may work in, and which repository it is a clone of.
    ///
    /// # Errors
    ///
    /// `work_dir_refused`.
    pub async fn project(&self, _: &Caller, work_dir: &str) -> Result<Project, OpError> {
        self.engine.project(work_dir).await
    }
}
