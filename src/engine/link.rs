//! Connections to holders, and what a session looks like from outside its holder.

use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Engine;
use crate::domain::{
    Confidence, ErrorCode, OpError, Session, SessionId, Source, StatusWord, Timestamp, unusual,
};
use crate::holder::client::ANSWERS_WITHIN;
use crate::holder::process::ProcessId;
use crate::holder::{HolderClient, HolderError, SessionDir};
use crate::store::SessionRow;
use crate::wire::{RefusalCode, Request, Snapshot};

/// How long a holder may take while many are asked for a list; a stopped one must not hold up the others.
pub(super) const LISTED_WITHIN: Duration = Duration::from_millis(1500);

/// How long a holder may take for the session alone before it is asked in full: an older one does not know that call.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

/// How long a session may be in the store without a holder: the time from its row to its holder's first word.
const LAUNCHES_WITHIN_MS: u64 = 30_000;

/// What a session is found to be.
#[derive(Clone, Debug)]
pub(super) enum Observed {
    /// Its holder answered.
    Live(Box<Snapshot>),
    /// It has ended.
    Ended(Box<Session>),
    /// Its holder lives and does not answer.
    Silent,
    /// It is being launched.
    Launching,
}

impl Engine {
    /// Connects to a session's holder, or takes the connection there is.
    pub(super) async fn link(
        &self,
        id: SessionId,
        socket: &Path,
        within: Duration,
    ) -> Result<HolderClient, HolderError> {
        let known = self.links.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(client) = known.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        let (client, _pushes) = HolderClient::connect(socket, within).await?;
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(id, client.clone());
        Ok(client)
    }

    pub(super) fn unlink(&self, id: SessionId) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Asks the holder of a session that should be live.
    ///
    /// # Errors
    ///
    /// The refusal as an error, `session_ended`, `holder_unreachable`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        row: &SessionRow,
        request: Request,
        within: Duration,
    ) -> Result<T, OpError> {
        if row.ended.is_some() {
            return Err(ended(row.spec.id));
        }
        let asked = match self.link(row.spec.id, &row.socket, ANSWERS_WITHIN).await {
            Ok(client) => client.ask(request, within).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(answer) => Ok(answer),
            Err(HolderError::Refused(refusal)) => Err(refused(refusal)),
            // It lives, as far as anybody can tell; the time for an answer is used up.
            Err(error @ HolderError::Silent(_)) => Err(silent(row.spec.id, &error)),
            Err(error) => {
                self.unlink(row.spec.id);
                match self.observe(row, ANSWERS_WITHIN).await? {
                    Observed::Ended(_) => Err(ended(row.spec.id)),
                    Observed::Live(_) | Observed::Silent | Observed::Launching => Err(OpError::new(
                        ErrorCode::HolderUnreachable,
                        format!("session {}: {error}", row.spec.id),
                    )),
                }
            }
        }
    }

    /// Finds out how a session is. One whose holder has vanished is closed on the way.
    pub(super) async fn observe(&self, row: &SessionRow, within: Duration) -> Result<Observed, OpError> {
        if let Some(session) = &row.ended {
            return Ok(Observed::Ended(Box::new(session.clone())));
        }
        let asked = async {
            let client = self.link(row.spec.id, &row.socket, within).await?;
            client.ask::<Snapshot>(Request::Snapshot, within).await
        };
        let asked = tokio::time::timeout(within, asked).await.unwrap_or(Err(HolderError::Silent(within)));
        // One that is on its way out has said how it ended, in its answer or in its directory. It keeps its lock until
        // its process is gone, on a busy machine for seconds, and that says nothing against it.
        let told = match &asked {
            Ok(snapshot) if snapshot.session.status == StatusWord::Ended => Some(snapshot.session.clone()),
            Ok(_) => None,
            Err(_) => last_told(&SessionDir::new(&row.session_dir)).map(|last| last.session),
        };
        match asked {
            Ok(snapshot) if told.is_none() => Ok(Observed::Live(Box::new(snapshot))),
            Ok(_) | Err(HolderError::Unreachable(_) | HolderError::Gone) => {
                self.unlink(row.spec.id);
                if launching(row) {
                    return Ok(Observed::Launching);
                }
                let young = is_young(row);
                // One that is ending lets go of its lock in a moment.
                let closed = if young { self.close(row).await? } else { self.closed(row).await? };
                Ok(match closed.or(told) {
                    Some(session) => Observed::Ended(Box::new(session)),
                    // Its lock is taken, and its socket not there yet.
                    None if young => Observed::Launching,
                    // It keeps its lock: it lives, and was only too busy or too full to be reached.
                    None => Observed::Silent,
                })
            }
            Err(HolderError::Silent(_) | HolderError::Refused(_) | HolderError::Unreadable(_)) => {
                Ok(told.map_or(Observed::Silent, |session| Observed::Ended(Box::new(session))))
            }
        }
    }

    /// A session as lists tell it: many lists in a row ask each holder once a second, and whenever one says that
    /// something changed.
    pub(super) async fn listed(&self, row: &SessionRow) -> Result<Session, OpError> {
        let known = self.links.lock().unwrap_or_else(PoisonError::into_inner).get(&row.spec.id).cloned();
        match known.filter(|_| row.ended.is_none()).and_then(|client| client.told_session()) {
            Some(session) if session.status != StatusWord::Ended => Ok((*session).clone()),
            _ => self.tell(row).await,
        }
    }

    /// A session as its holder tells it now; one that does not do so soon is unknown.
    pub(super) async fn tell(&self, row: &SessionRow) -> Result<Session, OpError> {
        self.tell_within(row, LISTED_WITHIN).await
    }

    /// As [`Engine::tell`], for who can wait so long.
    pub(super) async fn tell_within(&self, row: &SessionRow, within: Duration) -> Result<Session, OpError> {
        // Nearly always this is all that is needed, and it costs a third of a snapshot.
        if row.ended.is_none()
            && let Ok(client) = self.link(row.spec.id, &row.socket, TOLD_WITHIN).await
            && let Ok(session) = client.session(TOLD_WITHIN).await
            && session.status != StatusWord::Ended
        {
            return Ok(session);
        }
        Ok(match self.observe(row, within).await? {
            Observed::Live(snapshot) => snapshot.session,
            Observed::Ended(session) => *session,
            Observed::Silent => outline(row, StatusWord::Unknown),
            Observed::Launching => outline(row, StatusWord::Starting),
        })
    }
}

/// The last state of a session whose holder ended in order.
pub(super) fn last_told(dir: &SessionDir) -> Option<Snapshot> {
    serde_json::from_slice(&std::fs::read(dir.last()).ok()?).ok()
}

/// Whether no holder of the session has been seen yet, and one may still come. Whoever launches it may have been
/// killed before it could write the holder down; the holder's own file tells then.
pub(super) fn launching(row: &SessionRow) -> bool {
    is_young(row) && !SessionDir::new(&row.session_dir).pid().exists()
}

/// Whether the session may still be on its way up: nobody has written its holder down, and it is not old.
fn is_young(row: &SessionRow) -> bool {
    row.holder_pid.is_none() && Timestamp::now().millis_since(row.spec.created_at) < LAUNCHES_WITHIN_MS
}

/// The process that holds a session, where it was written down.
pub(super) fn holder_id(row: &SessionRow) -> Option<ProcessId> {
    Some(ProcessId { pid: row.holder_pid?, start: row.holder_start? })
}

/// What the store alone knows of a session.
pub(super) fn outline(row: &SessionRow, status: StatusWord) -> Session {
    let spec = &row.spec;
    Session {
        id: spec.id,
        name: spec.name.clone(),
        status,
        since: Timestamp::now(),
        source: Source::Silence,
        confidence: Confidence::Low,
        work_dir: spec.work_dir.display().to_string(),
        model: spec.model.clone(),
        permission_mode: spec.permission_mode,
        created_at: spec.created_at,
        last_activity: spec.created_at,
        open_asks: Vec::new(),
        last_message: None,
        conversation_id: None,
        parent_id: spec.parent_id,
        owner_key: spec.owner_key.clone(),
        worktree: spec.worktree.clone(),
        error: None,
        limit: None,
        ending: None,
        stall_threshold_ms: unusual(spec.stall_threshold_ms),
    }
}

pub(super) fn ended(id: SessionId) -> OpError {
    OpError::new(ErrorCode::SessionEnded, format!("session {id} has ended"))
}

/// A holder that lives and does not answer.
pub(super) fn silent(id: SessionId, error: &HolderError) -> OpError {
    OpError::new(ErrorCode::HolderUnreachable, format!("session {id}: {error}; it is stopped or starved"))
        .hint("nothing was begun; call again when the machine is less busy, with the same idempotencyKey if any")
}

/// A holder's refusal as an error of the surface.
pub(super) fn refused(refusal: crate::wire::Refusal) -> OpError {
    let code = match refusal.code {
        RefusalCode::SessionBlocked => ErrorCode::SessionBlocked,
        RefusalCode::SessionBusy | RefusalCode::NotClaimable => ErrorCode::SessionBusy,
        RefusalCode::SessionEnded => ErrorCode::SessionEnded,
        RefusalCode::DraftPresent => ErrorCode::DraftPresent,
        RefusalCode::PromptRefused => ErrorCode::PromptRefused,
        RefusalCode::PromptTooLarge => ErrorCode::PromptTooLarge,
        RefusalCode::KeyReused => ErrorCode::KeyReused,
        RefusalCode::PolicyRefused => ErrorCode::PolicyRefused,
        RefusalCode::NothingToApprove => ErrorCode::NothingToApprove,
        RefusalCode::AmbiguousAsk => ErrorCode::AmbiguousAsk,
        RefusalCode::NoSuchAsk => ErrorCode::NoSuchAsk,
        RefusalCode::AlreadyResolved => ErrorCode::AlreadyResolved,
        RefusalCode::InputChanged => ErrorCode::InputChanged,
        RefusalCode::InvalidAnswer => ErrorCode::InvalidAnswer,
        RefusalCode::NotConfirmed => ErrorCode::NotConfirmed,
        RefusalCode::StorageFailed => ErrorCode::StorageFailed,
        RefusalCode::Unsupported => ErrorCode::Unsupported,
        RefusalCode::Late => ErrorCode::HolderUnreachable,
        RefusalCode::NoSuchReceipt | RefusalCode::Forbidden => ErrorCode::Internal,
    };
    OpError::new(code, refusal.message).details(refusal.details)
}
